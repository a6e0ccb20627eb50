"""Every change that can be asked for; one file per noun, beside its twin in gitops/operations."""

from api.graphql.mutations.builds import BuildMutation
from api.graphql.mutations.charts import ChartMutation
from api.graphql.mutations.configuration import ConfigurationMutation
from api.graphql.mutations.delivery import DeliveryMutation
from api.graphql.mutations.deployments import DeploymentMutation
from api.graphql.mutations.environments import EnvironmentMutation
from api.graphql.mutations.holds import HoldMutation
from api.graphql.mutations.jobs import JobMutation
from api.graphql.mutations.project_secrets import SecretMutation
from api.graphql.mutations.projects import ProjectMutation
from api.graphql.mutations.reverts import RevertMutation
from api.graphql.mutations.rollbacks import RollbackMutation
from api.graphql.mutations.services import ServiceMutation

MUTATIONS = (
    ProjectMutation,
    SecretMutation,
    EnvironmentMutation,
    ServiceMutation,
    BuildMutation,
    DeploymentMutation,
    RollbackMutation,
    RevertMutation,
    HoldMutation,
    ConfigurationMutation,
    ChartMutation,
    DeliveryMutation,
    JobMutation,
)

__all__ = ["MUTATIONS"]
