"""One claimed build: source → build → push → deploy. A worker may be killed between any two lines.

An image is found again by the tag of its fingerprint, so a build that runs again after its push makes no second one.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from adapters.codec import load_change
from adapters.job_fields import lane
from adapters.ports import BuildOrder, Checkout, Registry, Stopped, Unreachable
from adapters.records import Claim, JobRecord, JobState, Outcome
from adapters.wiring import Ports
from gitops import repository
from gitops.changes import JobKind
from gitops.operations.builds import Build
from gitops.operations.deployments import Deploy, ServiceImage, SourceRevision
from gitops.problems import JobFailure, NotFound, Problem, Refused, Unavailable, invalid
from gitops.services import Service, Source
from gitops.times import rfc3339
from jobs import heads, project_secrets
from jobs.admission import admit
from jobs.build_progress import BUILD, DEPLOY, PUSH, SOURCE, Progress
from jobs.builders import registry_of

_FINGERPRINT = 16
_SHORT = 7


def carry_out(ports: Ports, claim: Claim) -> bool:
    """Bring the claimed build to an outcome; whether it came to one."""
    job = claim.jobs[0]
    change = load_change(job.change)
    if not isinstance(change, Build):
        raise TypeError(f"{job.id} is no build")
    with Progress.of(ports, claim, job) as progress:
        outcome = _outcome(_Building(ports, job, change, progress), progress)
    if not progress.dropped:
        ports.claims.record(claim, [outcome])
    return outcome.state is not JobState.QUEUED


def _outcome(building: "_Building", progress: Progress) -> Outcome:
    job = building.job
    try:
        return building.run()
    except Refused as refusal:
        return _failed(job, progress, refusal.problem)
    except Stopped:
        return Outcome(job.id, JobState.CANCELED, steps=progress.ended(JobState.CANCELED, "cancelled"))
    except Unreachable as outage:
        if outage.component == "redis":
            raise
        return _postponed(building.ports, job, progress, outage)


def _failed(job: JobRecord, progress: Progress, problem: Problem) -> Outcome:
    if isinstance(problem, JobFailure) and problem.step is None:
        problem = replace(problem, step=progress.current)
    return Outcome(job.id, JobState.FAILED, problem=problem, steps=progress.ended(JobState.FAILED, problem.message))


def _postponed(ports: Ports, job: JobRecord, progress: Progress, outage: Unreachable) -> Outcome:
    """Back to the queue for a while; failed when the outage lasts longer than the deadline."""
    patience = timedelta(seconds=ports.settings.outage_deadline_seconds)
    if job.created_at + patience < datetime.now(UTC):
        message = f"{outage.component} did not answer for too long: {outage}. Try the job again when it does."
        return _failed(job, progress, Unavailable(message, outage.component))
    ports.leases.acquire(f"pause:{progress.lane}", job.id, min(2.0**job.attempts, 30.0))
    steps = progress.ended(JobState.QUEUED, f"waiting for {outage.component}: {outage}")
    return Outcome(job.id, JobState.QUEUED, steps=steps)


@dataclass
class _Building:
    ports: Ports
    job: JobRecord
    change: Build
    progress: Progress

    def run(self) -> Outcome:
        """Source, image, deployments. Raises Refused, Stopped and Unreachable."""
        newer = self._newer_push()
        if newer is not None:
            steps = self.progress.ended(
                JobState.SUPERSEDED, f"a later push to {self.change.branch} is built by {newer}"
            )
            return Outcome(self.job.id, JobState.SUPERSEDED, steps=steps, superseded_by=newer)
        service, source = self._service()
        registry = registry_of(self.ports, service)
        self.progress.begin(SOURCE, f"{source.repository_url}: looking up {self.change.revision or source.branch}")
        revision = self._revision(source)
        if revision is None:
            return self._nothing(f"{source.repository_url} has no branch {self.change.branch} any more")
        credentials = self._credentials()
        stopped = self.progress.stopped
        with self.ports.sources.checkout(source.repository_url, revision, credentials, stopped) as checkout:
            self.progress.end(SOURCE, f"{source.repository_url} at {checkout.sha[:_SHORT]}")
            image = self._image(registry, service, source, checkout)
        return self._deploy(image)

    def _newer_push(self) -> str | None:
        """A build of a later push to the same branch: it builds whatever the branch is then."""
        if self.change.branch is None:
            return None
        ahead = self.ports.ledger.unfinished([self.job.project]).get(self.job.project, ())
        builds = [job for job in ahead if job.kind is JobKind.BUILD and job.number > self.job.number]
        later = [job.id for job in builds if self._is_same_branch(load_change(job.change))]
        return later[-1] if later else None

    def _is_same_branch(self, other: object) -> bool:
        mine = self.change.service, self.change.branch, self.change.deploy_to
        return isinstance(other, Build) and (other.service, other.branch, other.deploy_to) == mine

    def _service(self) -> tuple[Service, Source]:
        head = heads.current(self.ports, self.job.project)
        if head.sha is None:
            raise Refused(NotFound(f"There is no project {self.job.project} (any more).", "project", self.job.project))
        service = repository.read(self.ports.repositories.snapshot(self.job.project, head.sha)).service(
            self.change.service
        )
        if service is None:
            raise Refused(NotFound(f"There is no service {self.change.service}.", "service", self.change.service))
        if service.source is None:
            message = f"{service.name} has no source: name its repository with updateService first."
            raise invalid("service", message)
        return service, service.source

    def _revision(self, source: Source) -> str | None:
        """What to build; None when a push's branch is gone."""
        if self.change.branch is None:
            return self.change.revision or source.branch
        url, stopped = source.repository_url, self.progress.stopped
        head = self.ports.sources.head(url, self.change.branch, self._credentials(), stopped)
        # Not every forge shows a request's head as a ref of the repository: then what was delivered is built.
        return self.change.revision if head is None and self.change.branch.startswith("refs/") else head

    def _credentials(self) -> bytes | None:
        return project_secrets.read(self.ports.secrets, self.job.project, project_secrets.CLONE)

    def _image(self, registry: Registry, service: Service, source: Source, checkout: Checkout) -> ServiceImage:
        tag = f"src-{self._fingerprint(source, checkout)}"
        if self.change.force:
            tag = f"{tag}-{self.job.id.removeprefix('job_')}"
        short = checkout.sha[:_SHORT]
        digest = registry.digest(service.image, tag)
        if digest is None:
            digest = self._build(source, checkout, f"{service.image}:{tag}")
        else:
            self.progress.end(BUILD, f"reused: {service.image}:{tag} was built from the same source")
            self.progress.seal()
        registry.tag(service.image, digest, short)
        self.progress.end(PUSH, f"{service.image}:{short}@{digest}")
        revision = SourceRevision(checkout.sha, rfc3339(checkout.committed_at))
        return ServiceImage(service.name, short, digest, revision)

    def _fingerprint(self, source: Source, checkout: Checkout) -> str:
        """Equal for equal files, built by the same builder."""
        dockerfile = "/".join(
            part for part in (source.context_path.strip("/"), source.dockerfile) if part not in {"", "."}
        )
        parts = (
            checkout.tree(source.context_path),
            checkout.tree(dockerfile),
            source.dockerfile,
            self.ports.builder.kind(),
        )
        return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:_FINGERPRINT]

    def _build(self, source: Source, checkout: Checkout, reference: str) -> str:
        self.progress.begin(BUILD, f"{source.dockerfile} in {source.context_path}")
        order = BuildOrder(
            folder=checkout.folder,
            context=source.context_path,
            dockerfile=source.dockerfile,
            cache=f"{self.job.project}/{self.change.service}",
            annotations={
                "org.opencontainers.image.source": source.repository_url,
                "org.opencontainers.image.revision": checkout.sha,
                "org.opencontainers.image.created": rfc3339(checkout.committed_at),
            },
            created_at=checkout.committed_at,
            hidden=project_secrets.texts(self.ports.secrets, self.job.project),
        )
        image = self.ports.builder.build(order, self.progress.log, self.progress.stopped)
        self.ports.failpoints.reach("after_build")
        self.progress.end(BUILD, f"{source.dockerfile} in {source.context_path}")
        self.progress.begin(PUSH, reference)
        self.progress.seal()
        digest = self.ports.builder.push(image, reference, self.progress.log, self.progress.lost)
        self.ports.failpoints.reach("after_image_push")
        return digest

    def _deploy(self, image: ServiceImage) -> Outcome:
        """Admit the deployments that were asked for. What stops one does not stop the others."""
        summary = f"build {self.change.service} {image.tag}"
        wanted = [name for name in self.change.deploy_to if self.change.branch is None or not self._runs(name, image)]
        if self.change.deploy_to and not wanted:
            return self._nothing(f"{', '.join(self.change.deploy_to)}: {image.digest} runs there already", summary)
        admitted, refusals = list[str](), dict[str, Problem]()
        for name in wanted:
            try:
                admitted.append(f"{name} by {self._admit(name, image).id}")
            except Refused as refusal:
                refusals[name] = refusal.problem
        told = "; ".join([*admitted, *(f"{name}: {problem.message}" for name, problem in refusals.items())])
        if refusals:
            steps = self.progress.ended(JobState.FAILED, told)
            return Outcome(self.job.id, JobState.FAILED, summary, problem=next(iter(refusals.values())), steps=steps)
        if admitted:
            self.progress.end(DEPLOY, told)
        return Outcome(self.job.id, JobState.SUCCEEDED, summary, steps=self.progress.steps)

    def _runs(self, environment: str, image: ServiceImage) -> bool:
        """Whether it runs there, and nothing is on its way that might change that."""
        unfinished = self.ports.ledger.unfinished([self.job.project]).get(self.job.project, ())
        if any(self._may_touch(job, environment) for job in unfinished):
            return False
        head = heads.current(self.ports, self.job.project).sha
        if head is None:
            return False
        there = repository.read_environment(self.ports.repositories.snapshot(self.job.project, head), environment)
        service = there.service(image.service)
        return service is not None and service.image is not None and service.image.digest == image.digest

    def _may_touch(self, job: JobRecord, environment: str) -> bool:
        """Whether a commit to come might deploy the service there; one that names none may be about all."""
        here = not job.environments or environment in job.environments
        return lane(job) == job.project and here and (not job.services or self.change.service in job.services)

    def _admit(self, environment: str, image: ServiceImage) -> JobRecord:
        change = Deploy(self.job.project, environment, (image,))
        return admit(
            self.ports,
            self.job.actor,
            change,
            key=f"deploy:{self.job.id}:{environment}",
            reason=self.job.reason,
            expected_head=None,
            mutation="deploy",
            arguments={"build": self.job.id, "environment": environment},
        )

    def _nothing(self, message: str, summary: str | None = None) -> Outcome:
        self.progress.end(DEPLOY, message)
        return Outcome(self.job.id, JobState.SUCCEEDED, summary, no_change=True, steps=self.progress.steps)
