"""`make run`: a population through a real Kafka with a killed worker, and the proof.

It uses the program as a library. Start with `__main__.py`.
"""
