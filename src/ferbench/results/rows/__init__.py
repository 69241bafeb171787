"""The records of the tables, a file a kind: its columns, and beside them how they are shown."""

from ferbench.results.row import RunRow
from ferbench.results.rows.audit import AuditRow
from ferbench.results.rows.audit_data import DataAuditRow
from ferbench.results.rows.bias import BiasRow
from ferbench.results.rows.classify import ClassifierRow
from ferbench.results.rows.curate import CurateRow
from ferbench.results.rows.fidelity import FidelityRow

__all__ = [
    "AuditRow",
    "BiasRow",
    "ClassifierRow",
    "CurateRow",
    "DataAuditRow",
    "FidelityRow",
    "RunRow",
]
