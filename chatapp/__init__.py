"""The product people see. Loading the package binds shared tasks to the Celery application."""

from chatapp.celery import app as celery_app

__all__ = ["celery_app"]
