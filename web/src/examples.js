// The way of one change, in the order of the tabs. tests/e2e/test_graphiql.py runs each of them as it stands here.
const jobFields = `  __typename
    ... on Job {
      id
      state
      summary
    }
    ... on Problem {
      message
    }`;

export const examples = [
  {
    query: `# 1. A project is one Git repository with its environments.
# The answer is a job; its commit follows in a moment.
mutation CreateProject {
  createProject(input: { name: "shop" }) {
  ${jobFields}
  }
}
`,
  },
  {
    query: `# 2. A service is something that can be deployed.
mutation AddService {
  addService(
    input: { project: "shop", name: "api", image: "registry.example.com/shop/api", port: 8080 }
  ) {
  ${jobFields}
  }
}
`,
  },
  {
    query: `# 3. A deployment is one commit: "deploy(development): api a1b2c3d".
mutation Deploy {
  deploy(
    input: {
      project: "shop"
      environment: "development"
      services: [{ service: "api", tag: "a1b2c3d" }]
      reason: "first version"
    }
  ) {
  ${jobFields}
  }
}
`,
  },
  {
    query: `# 4. Starts with the present state, then streams whatever happens.
# Leave it running, deploy another tag in tab 3, and look here again.
subscription Watch {
  projectEvents(project: "shop") {
    kind
    at
    project {
      head {
        subject
      }
    }
    job {
      state
      summary
    }
    commit {
      shortSha
      subject
    }
    environment {
      name
    }
    status {
      sync
      health
      message
    }
    deployment {
      serviceName
      rollout {
        phase
      }
    }
  }
}
`,
  },
  {
    query: `# 5. Promote what runs in development to staging: the same image, another commit.
mutation Promote {
  promote(input: { project: "shop", from: "development", to: "staging" }) {
  ${jobFields}
  }
}
`,
  },
  {
    query: `# 6. The history is the Git log of the repository at cloneUrl.
query History {
  project(name: "shop") {
    cloneUrl
    commits(first: 10) {
      nodes {
        shortSha
        kind
        subject
        authoredAt
        author {
          name
        }
        signature {
          state
        }
        rollouts {
          environmentName
          rollout {
            phase
          }
        }
      }
    }
  }
}
`,
  },
];
