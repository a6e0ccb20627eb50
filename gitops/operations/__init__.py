"""Every kind of change, one frozen dataclass each: a pure function from a tree to writes and a message.

Nothing here reads files, Git or Redis; the name of a class is what records call it by, so it never changes.
"""

from collections.abc import Mapping
from typing import Final

from gitops.changes import Change
from gitops.operations.builds import Build
from gitops.operations.charts import UpgradeChart
from gitops.operations.configuration import Scale, SetVariables, VariableSetting
from gitops.operations.delivery import SyncEnvironment
from gitops.operations.deployments import Deploy, Restart, ServiceImage
from gitops.operations.environments import CreateEnvironment, DeleteEnvironment
from gitops.operations.extensions import ExtendEnvironment
from gitops.operations.holds import ReleaseHold, SetHold
from gitops.operations.projects import CreateProject, DeleteProject
from gitops.operations.projectsettings import UpdateProject
from gitops.operations.promotions import Promote
from gitops.operations.reverts import Revert
from gitops.operations.rollbacks import Rollback, RollbackScope
from gitops.operations.services import AddService, RemoveService, UpdateService
from gitops.operations.values import SetValues, ValueSetting

_KINDS: Final[tuple[type[Change], ...]] = (
    CreateProject,
    UpdateProject,
    DeleteProject,
    CreateEnvironment,
    DeleteEnvironment,
    ExtendEnvironment,
    AddService,
    UpdateService,
    RemoveService,
    Deploy,
    Restart,
    Promote,
    Scale,
    SetVariables,
    SetValues,
    UpgradeChart,
    SyncEnvironment,
    SetHold,
    ReleaseHold,
    Rollback,
    Revert,
    Build,
)
CHANGES: Final[Mapping[str, type[Change]]] = {kind.__name__: kind for kind in _KINDS}
"""Class name → class, to read changes back from their records."""

__all__ = [
    "CHANGES",
    "AddService",
    "Build",
    "CreateEnvironment",
    "CreateProject",
    "DeleteEnvironment",
    "DeleteProject",
    "Deploy",
    "ExtendEnvironment",
    "Promote",
    "ReleaseHold",
    "RemoveService",
    "Restart",
    "Revert",
    "Rollback",
    "RollbackScope",
    "Scale",
    "ServiceImage",
    "SetHold",
    "SetValues",
    "SetVariables",
    "SyncEnvironment",
    "UpdateProject",
    "UpdateService",
    "UpgradeChart",
    "ValueSetting",
    "VariableSetting",
]
