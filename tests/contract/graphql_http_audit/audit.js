// Runs the audit suite of GraphQL over HTTP: `node audit.js URL` with TOKEN in the environment; prints {id, name, status, reason}.
import { serverAudits } from 'graphql-http';

const headers = { authorization: `Bearer ${process.env.TOKEN}` };
const fetchFn = (url, options = {}) => fetch(url, { ...options, headers: { ...options.headers, ...headers } });
const results = await Promise.all(serverAudits({ url: process.argv[2], fetchFn }).map((audit) => audit.fn()));
console.log(JSON.stringify(results.map(({ id, name, status, reason }) => ({ id, name, status, reason }))));
