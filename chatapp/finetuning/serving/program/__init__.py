"""The server of one base model and its adapters, a process of its own: no Django, no database.

``python chatapp/finetuning/alone.py chatapp.finetuning.serving.program CONFIG.json``; ``config`` says what is in that
file, ``app`` what it answers. Only this package and the trainer's import torch.
"""
