"""Types that refer to each other in circles, by name, for annotations; bodies use the modules themselves."""
# ruff: noqa: PLC0414 - the names are for others, and strict typing wants that said

from typing import TYPE_CHECKING, Annotated

import strawberry

if TYPE_CHECKING:
    from api.graphql.commits import Commit as Commit
    from api.graphql.commits import CommitConnection as CommitConnection
    from api.graphql.commits import CommitFilter as CommitFilter
    from api.graphql.deployed import DeployedService as DeployedService
    from api.graphql.deployments import Deployment as Deployment
    from api.graphql.deployments import DeploymentConnection as DeploymentConnection
    from api.graphql.environments import Environment as Environment
    from api.graphql.jobs import Job as Job
    from api.graphql.jobs import JobConnection as JobConnection
    from api.graphql.jobs import JobFilter as JobFilter
    from api.graphql.plans import PromotionPlan as PromotionPlan
    from api.graphql.problems import Gate as Gate
    from api.graphql.problems import InvalidRepository as InvalidRepository
    from api.graphql.problems import Problem as Problem
    from api.graphql.projects import Project as Project
    from api.graphql.resource_trees import ResourceNode as ResourceNode
    from api.graphql.rollouts import EnvironmentRollout as EnvironmentRollout
    from api.graphql.rollouts import Rollout as Rollout
    from api.graphql.statuses import EnvironmentStatus as EnvironmentStatus
else:

    def _later(name: str, module: str) -> object:
        return Annotated[name, strawberry.lazy(f"api.graphql.{module}")]

    Commit = _later("Commit", "commits")
    CommitConnection = _later("CommitConnection", "commits")
    CommitFilter = _later("CommitFilter", "commits")
    DeployedService = _later("DeployedService", "deployed")
    Deployment = _later("Deployment", "deployments")
    DeploymentConnection = _later("DeploymentConnection", "deployments")
    Environment = _later("Environment", "environments")
    EnvironmentRollout = _later("EnvironmentRollout", "rollouts")
    EnvironmentStatus = _later("EnvironmentStatus", "statuses")
    Gate = _later("Gate", "problems")
    InvalidRepository = _later("InvalidRepository", "problems")
    Job = _later("Job", "jobs")
    JobConnection = _later("JobConnection", "jobs")
    JobFilter = _later("JobFilter", "jobs")
    Problem = _later("Problem", "problems")
    Project = _later("Project", "projects")
    PromotionPlan = _later("PromotionPlan", "plans")
    ResourceNode = _later("ResourceNode", "resource_trees")
    Rollout = _later("Rollout", "rollouts")
