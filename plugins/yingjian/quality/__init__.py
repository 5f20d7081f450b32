"""The quality gate: Great Expectations decides whether a build may be published."""

from yingjian.quality.audit import AuditResult, CheckResult, audit
from yingjian.quality.suites import Check, Suite, load_suites

__all__ = ["AuditResult", "Check", "CheckResult", "Suite", "audit", "load_suites"]
