"""The slow way in: admission, the commit engine, Celery tasks and the observer. Knows ports, never GraphQL or HTTP."""
