"""Answers to questions, as text and as JSON: one module a question, pure."""
