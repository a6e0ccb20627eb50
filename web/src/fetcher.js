import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { Kind, parse } from 'graphql';
import { createClient } from 'graphql-ws';

const endpoint = new URL('graphql', window.location.href);
const socket = new URL(endpoint);
socket.protocol = socket.protocol.replace('http', 'ws');

const send = createGraphiQLFetcher({
  url: endpoint.href,
  wsClient: createClient({ url: socket.href, lazy: true, retryAttempts: 5 }),
});

// GraphiQL learns the operation's name and kind some time after a tab was chosen; what is sent is what stands there now.
export function fetcher(request, options) {
  const documentAST = parsed(request.query);
  const operations = documentAST?.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION) ?? [];
  if (operations.length !== 1) return send(request, options);
  return send({ ...request, operationName: operations[0].name?.value }, { ...options, documentAST });
}

function parsed(query) {
  try {
    return parse(query);
  } catch {
    return null;
  }
}
