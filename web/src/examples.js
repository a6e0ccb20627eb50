// The way of one change, in the order of the tabs. tests/e2e/test_graphiql.py runs each of them as it stands here.
const variables = (value) => JSON.stringify(value, null, 2);

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
mutation CreateProject($name: String!) {
  createProject(input: { name: $name }) {
  ${jobFields}
  }
}
`,
    variables: variables({ name: 'shop' }),
  },
  {
    query: `# 2. A service is something that can be deployed.
mutation AddService($project: String!) {
  addService(
    input: { project: $project, name: "api", image: "registry.example.com/shop/api", port: 8080 }
  ) {
  ${jobFields}
  }
}
`,
    variables: variables({ project: 'shop' }),
  },
  {
    query: `# 3. A deployment is one commit: "deploy(development): api a1b2c3d".
mutation Deploy($project: String!, $tag: String!) {
  deploy(
    input: {
      project: $project
      environment: "development"
      services: [{ service: "api", tag: $tag }]
      reason: "first version"
    }
  ) {
  ${jobFields}
  }
}
`,
    variables: variables({ project: 'shop', tag: 'a1b2c3d' }),
  },
  {
    query: `# 4. Starts with the present state, then streams whatever happens.
# Leave it running, deploy another tag in tab 3, and look here again.
subscription Watch($project: String!) {
  projectEvents(project: $project) {
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
    variables: variables({ project: 'shop' }),
  },
  {
    query: `# 5. Promote what runs in development to staging: the same image, another commit.
mutation Promote($project: String!) {
  promote(input: { project: $project, from: "development", to: "staging" }) {
  ${jobFields}
  }
}
`,
    variables: variables({ project: 'shop' }),
  },
  {
    query: `# 6. The history is the Git log of the repository at cloneUrl.
query History($project: String!) {
  project(name: $project) {
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
    variables: variables({ project: 'shop' }),
  },
];
