"""What goes with a project that leaves Lucity: Argo CD Applications for wherever its repository is pushed to."""

from collections.abc import Sequence
from typing import Final

from gitops.layout import BASE, environment_folder, environment_values
from gitops.names import namespace
from gitops.yamlscalars import quote

PLACEHOLDER: Final = "REPO_URL"
"""Where the address of the repository belongs, as long as nobody has said it."""

_APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {name}
  namespace: argocd
  annotations:
    argocd.argoproj.io/manifest-generate-paths: {watched}
spec:
  project: default
  source:
    repoURL: {repository_url}
    targetRevision: main
    path: {base}
    helm:
      valueFiles:
        - {values}
  destination:
    server: https://kubernetes.default.svc
    namespace: {name}
  syncPolicy:
    automated:
      prune: true
      selfHeal: true
    syncOptions:
      - CreateNamespace=true
      - ServerSideApply=true
    retry:
      limit: 5
      backoff:
        duration: 5s
        factor: 2
        maxDuration: 3m
"""

_README = """\
# {project}, without Lucity

    {project}.bundle        the repository with its whole history, main at {head}
    argocd/<name>.yaml      one Argo CD Application for each environment
    allowed_signers         the keys of the commits that Lucity signed

1. Unpack the repository and push it to where it shall live from now on:

       git clone {project}.bundle {project}
       git -C {project} remote set-url origin {address}
       git -C {project} push origin main

2. {addressed}

3. Have them applied. Argo CD runs in namespace argocd and must be allowed to read the repository (argocd repo add):

       kubectl apply -f argocd/

   An Application of the same name that Lucity made becomes this one, and nothing is started anew. Elsewhere the
   namespaces are made by Argo CD; what a Secret holds is not in Git and has to be put there first.

Or without Argo CD, with Helm alone, for each environment:

{helm}

From now on a deployment is a commit: change a tag in environments/<name>/values.yaml and push. Who did what until now:

       git -C {project} -c gpg.ssh.allowedSignersFile="$PWD/allowed_signers" log --first-parent --show-signature
       lucity audit {project}
"""
_SET = f"""Name that address in the Applications (here with GNU sed):

       sed -i 's|{PLACEHOLDER}|{{address}}|' argocd/*.yaml"""
_IS_SET = "The Applications name that address already."


def ejected_files(project: str, environments: Sequence[str], head: str, repository_url: str | None) -> dict[str, bytes]:
    """Path → bytes of all that goes with the bundle; without an address its place is held by PLACEHOLDER."""
    address = repository_url or f"https://git.example.com/me/{project}.git"
    readme = _README.format(
        project=project,
        head=head,
        address=address,
        addressed=_IS_SET if repository_url else _SET.format(address=address),
        helm="\n".join(_helm_command(project, name) for name in environments) or "       (there is none yet)",
    )
    applications = {
        f"argocd/{name}.yaml": _application(project, name, repository_url or PLACEHOLDER).encode()
        for name in environments
    }
    return {"README.md": readme.encode(), **applications}


def _application(project: str, environment: str, repository_url: str) -> str:
    return _APPLICATION.format(
        name=quote(namespace(project, environment)),
        watched=quote(f"/{BASE};/{environment_folder(environment)}"),
        repository_url=quote(repository_url),
        base=BASE,
        values=quote(f"/{environment_values(environment)}"),
    )


def _helm_command(project: str, environment: str) -> str:
    name = namespace(project, environment)
    values = f"{project}/{environment_values(environment)}"
    return f"       helm upgrade --install {name} {project}/{BASE} -f {values} -n {name} --create-namespace"
