-- depends_on: {{ source('published', 'publication') }}
{{ published_before('obligation', {
    'publication_id': 'bigint', 'obligation_id': 'text', 'membership_id': 'text', 'person_key': 'text',
    'group_code': 'text', 'slot': 'int', 'due_date': 'date', 'status': 'text', 'satisfied_on': 'date',
    'last_sample_date': 'date'
}) }}
