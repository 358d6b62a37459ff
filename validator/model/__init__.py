"""The frozen values that flow through a run, by stage. No I/O, no behaviour beyond what is derived from the fields."""

from validator.model.host import EngineInfo, Gpu, GpuClocks, GpuProcess, HostInfo, NvmlInfo
from validator.model.matrix import (
    BuildOptions,
    BuiltImage,
    Environment,
    Expectation,
    HostInterpreter,
    Limits,
    Matrix,
    PackageOptions,
    PulledImage,
    Source,
    Target,
    UserModel,
    Where,
)
from validator.model.plan import Cell, Plan
from validator.model.prediction import Finding, Prediction
from validator.model.results import CellResult, CheckResult, Content, Report, RunInfo, Seconds
from validator.model.words import Action, Basis, CheckStatus, Level, Metric, Metrics, Outlook, Severity, Status

__all__ = [
    "Action",
    "Basis",
    "BuildOptions",
    "BuiltImage",
    "Cell",
    "CellResult",
    "CheckResult",
    "CheckStatus",
    "Content",
    "EngineInfo",
    "Environment",
    "Expectation",
    "Finding",
    "Gpu",
    "GpuClocks",
    "GpuProcess",
    "HostInfo",
    "HostInterpreter",
    "Level",
    "Limits",
    "Matrix",
    "Metric",
    "Metrics",
    "NvmlInfo",
    "Outlook",
    "PackageOptions",
    "Plan",
    "Prediction",
    "PulledImage",
    "Report",
    "RunInfo",
    "Seconds",
    "Severity",
    "Source",
    "Status",
    "Target",
    "UserModel",
    "Where",
]
