"""`lucity`: starts the processes; everything else it does over GraphQL like any client."""
