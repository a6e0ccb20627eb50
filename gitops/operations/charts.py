"""The vendored chart: another version of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from gitops.births import newest
from gitops.changes import Context, Draft, JobKind, Ref
from gitops.layout import BASE, BASE_CHART, CHART, CHART_FILE, CHART_FOLDER
from gitops.names import Version
from gitops.operations.checks import Checks, changed, open_project
from gitops.problems import NotFound, Refused
from gitops.subjects import Action, Subject, render_subject
from gitops.tree import Tree
from gitops.yamltext import edit, parse


@dataclass(frozen=True)
class UpgradeChart:
    """Vendor another version of lucity-app; None: the newest that this server carries."""

    KIND: ClassVar[JobKind] = JobKind.CHART
    project: str
    version: str | None = None

    environments: ClassVar[tuple[str, ...]] = ()
    services: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[Ref, ...]] = ()
    creates: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()
    paths: ClassVar[tuple[str, ...]] = (BASE,)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        if self.version is not None:
            checks.parse(Version.parse, self.version, "version")
        checks.finish()

    def missing(self, charts: Mapping[str, object]) -> str | None:
        """What is wrong when the version is none of those that a server carries."""
        if self.version is None or self.version in charts:
            return None
        return f"this server does not carry lucity-app {self.version}: choose one of {', '.join(sorted(charts))}"

    def summary(self) -> str:
        """See Change."""
        return f"chart(base): upgrade lucity-app to {self.version or 'the newest version'}"

    def apply(self, tree: Tree, context: Context) -> Draft:
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        version = self.version or newest(context.charts)
        if (missing := self.missing(context.charts)) is not None:
            raise Refused(NotFound(missing, "chart", version))
        present = str(parse(tree.read(CHART_FILE) or b"", CHART_FILE).data.get("version") or "none")
        writes: dict[str, bytes | None] = dict.fromkeys(tree.files(CHART_FOLDER))
        writes |= {f"{CHART_FOLDER}/{path}": data for path, data in context.charts[version].items()}
        writes[BASE_CHART] = _depend(tree.read(BASE_CHART) or b"", version)
        subject = Subject(Action.CHART, origin=present, value=version)
        return Draft(render_subject(subject), changed(tree, writes))


def _depend(data: bytes, version: str) -> bytes:
    dependencies = parse(data, BASE_CHART).data.get("dependencies")
    present = dependencies if isinstance(dependencies, list) else []
    others = [each for each in present if not (isinstance(each, dict) and each.get("name") == CHART)]
    ours = next((each for each in present if isinstance(each, dict) and each.get("name") == CHART), {"name": CHART})
    wanted = [{**ours, "version": version} if each is ours else each for each in present]
    listed = wanted if len(others) < len(present) else [*others, {**ours, "version": version}]
    return edit(data, BASE_CHART, [(("dependencies",), listed)])
