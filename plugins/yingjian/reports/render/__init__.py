"""This package gives a document its forms: page, spreadsheet, PDF, official Word document, picture, and files of long lists."""
