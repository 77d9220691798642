"""What engines behind the OpenAI API share: options, the wire, and servers with their faults."""
