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
    query: `# 5. What would a promotion change? By the very function that does it.
query Plan {
  promotionPlan(input: { project: "shop", from: "development", to: "staging" }) {
    ... on PromotionPlan {
      token
      subject
      warnings
      items {
        service
        from {
          tag
        }
        to {
          tag
        }
      }
      gates {
        name
        open
        message
      }
      valuesDiff
      manifestDiff
    }
    ... on Problem {
      message
    }
  }
}
`,
  },
  {
    query: `# 6. Promote what runs in development to staging: the same image, another commit.
# With the token of the plan below, under Variables, exactly what it showed, or PlanStale.
mutation Promote($planToken: String) {
  promote(input: { project: "shop", from: "development", to: "staging", planToken: $planToken }) {
  ${jobFields}
    ... on PlanStale {
      plan {
        token
        subject
      }
    }
  }
}
`,
    variables: '{ "planToken": null }',
  },
  {
    query: `# 7. The history is the Git log of the repository at cloneUrl.
query History {
  project(name: "shop") {
    cloneUrl
    commits(first: 10) {
      nodes {
        sha
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
  {
    query: `# 8. Put back what stood at a commit of the history: write its sha below, under Variables.
# What was rolled back is held: automation does not deploy over it.
mutation Rollback($to: String!) {
  rollback(
    input: {
      project: "shop"
      environment: "development"
      services: ["api"]
      to: $to
      reason: "the newer one answers errors"
    }
  ) {
  ${jobFields}
  }
}
`,
    variables: '{ "to": "" }',
  },
  {
    query: `# 9. Hold an environment, or some of its services, until tomorrow.
mutation Hold {
  hold(
    input: {
      project: "shop"
      environment: "staging"
      services: ["api"]
      reason: "the fair"
      expiresInSeconds: 86400
    }
  ) {
  ${jobFields}
  }
}
`,
  },
  {
    query: `# 10. Take back what one commit did, whichever it was, if it still stands.
# Write the sha of the newest commit below: it takes back the hold.
mutation Revert($commit: String!) {
  revert(input: { project: "shop", commit: $commit }) {
  ${jobFields}
    ... on Conflict {
      paths
      commits
    }
  }
}
`,
    variables: '{ "commit": "" }',
  },
  {
    query: `# 11. Two environments beside each other, and who wrote the tag that runs.
query LookBack {
  compare(project: "shop", base: { environment: "staging" }, head: { environment: "development" }) {
    changes {
      key
      before
      after
    }
    diff
  }
  environment(project: "shop", name: "development") {
    holds {
      serviceName
      reason
      since
    }
    blame(key: "services.api.image.tag") {
      line
      text
      commit {
        subject
        author {
          name
        }
      }
    }
  }
}
`,
  },
];
