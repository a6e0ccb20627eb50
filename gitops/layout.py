"""Where things lie in a GitOps repository. Paths are built from parsed names only."""

from typing import Final

from gitops.names import EnvironmentName

BASE: Final = "base"
BASE_CHART: Final = "base/Chart.yaml"
BASE_VALUES: Final = "base/values.yaml"
CHART: Final = "lucity-app"
"""The chart's name, and the key below which all values of ours stand."""
CHART_FOLDER: Final = "base/charts/lucity-app"
CHART_FILE: Final = "base/charts/lucity-app/Chart.yaml"
ENVIRONMENTS: Final = "environments"
PROJECT: Final = "project.yaml"
README: Final = "README.md"


def environment_folder(environment: str) -> str:
    """The folder environments/<name>."""
    return f"{ENVIRONMENTS}/{EnvironmentName.parse(environment)}"


def environment_values(environment: str) -> str:
    """What is Helm's of an environment."""
    return f"{environment_folder(environment)}/values.yaml"


def environment_settings(environment: str) -> str:
    """What is not Helm's of an environment: ephemeral, createdFrom, expiresAt, holds."""
    return f"{environment_folder(environment)}/environment.yaml"


def environment_of(path: str) -> str | None:
    """The environment that a file belongs to; None when it lies elsewhere."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == ENVIRONMENTS else None  # noqa: PLR2004 - folder, name, file


def touches(path: str, place: str) -> bool:
    """Whether `path` is the file `place` or lies in the folder `place`."""
    return path == place or path.startswith(f"{place}/")
