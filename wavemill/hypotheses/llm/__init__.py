"""Language models that answer questions: on a server, or in this process."""
