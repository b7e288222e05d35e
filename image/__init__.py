"""The host side: builds, runs, publishes and verifies the image. Never imports torch, ms-swift or `toolkit`.

A room imports only from the floors below its own:

    __main__                       turns errors into exit codes
    cli                            one command per module; prints
    doctor  run  share  verify     the use cases around a built image
    build                          weights, BuildKit, bill of materials
    engine  registry               the only importers of docker and of oras
    core                           errors, files, lock, labels, addresses, progress
"""
