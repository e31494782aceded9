"""The door for BI tools: Arrow Flight SQL, the same questions with the same keys (docs/flight.md).

Flight command -> commands.read_command -> the asking path of HTTP, or a list -> padded batches -> the tool
"""
