import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './style.css';

import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';

import { examples } from './examples.js';
import { fetcher } from './fetcher.js';

function Page() {
  return (
    <>
      <header className="lucity-header">
        <img src="./favicon.svg" alt="" width="20" height="20" />
        <strong>Lucity</strong>
        <span>Every deployment is a Git commit. Run the tabs from left to right.</span>
      </header>
      <main className="lucity-graphiql">
        <GraphiQL fetcher={fetcher} defaultTabs={examples} shouldPersistHeaders={false}>
          <GraphiQL.Logo>GraphiQL</GraphiQL.Logo>
        </GraphiQL>
      </main>
    </>
  );
}

createRoot(document.getElementById('graphiql')).render(<Page />);
