"""`syncEnvironment`: have the delivery apply Git again, in a queue of its own."""

from adapters.records import Claim, JobState, Outcome, Step
from adapters.wiring import Ports
from gitops import layout
from gitops.problems import NotFound
from jobs import heads, outcomes


def carry_out(ports: Ports, claim: Claim) -> bool:
    """Sync the environments of the claimed jobs, once each."""
    project = claim.jobs[0].project
    head = heads.current(ports, project).sha
    there = ports.repositories.snapshot(project, head).folder(layout.ENVIRONMENTS) if head else ()
    wanted = sorted({job.environments[0] for job in claim.jobs} & set(there))
    if head and wanted:
        ports.delivery.sync(project, wanted, head)
    done = Step(outcomes.REFRESH, JobState.SUCCEEDED, "the delivery was asked to look again")
    ports.claims.record(
        claim,
        [
            Outcome(job.id, JobState.SUCCEEDED, head=head, no_change=True, steps=(done,))
            if job.environments[0] in wanted
            else outcomes.failed(
                job, NotFound(f"There is no environment {job.environments[0]}.", "environment", job.environments[0])
            )
            for job in claim.jobs
        ],
    )
    return True
