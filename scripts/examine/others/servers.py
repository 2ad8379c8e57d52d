"""Streams by libraries for Python, as their documentation writes them, each configured well and badly.

Prints `NAME URL` for each server, and ends with its standard input.
"""

import asyncio
import os
import sys
import threading
import time
from datetime import datetime, timezone
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import uvicorn
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponseRedirect, StreamingHttpResponse
from django.urls import path
from flask import Flask, Response, request
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.routing import Route

log: list[str] = []  # one log of events for all of them, three a second


def tick():
    while True:
        time.sleep(0.33)
        log.append(datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"))


def after(last_id):
    """Events after an id, then as they come."""
    position = int(last_id) if last_id else len(log)
    while True:
        while position >= len(log):
            time.sleep(0.02)
        position += 1
        yield position, log[position - 1]


def told(name, port):
    print(f"{name} http://127.0.0.1:{port}", flush=True)


async def starlette_events(last_id):
    position = int(last_id) if last_id else len(log)
    while True:
        while position >= len(log):
            await asyncio.sleep(0.02)
        position += 1
        yield {"id": str(position), "data": log[position - 1]}


async def resumes(request):
    return EventSourceResponse(starlette_events(request.headers.get("last-event-id")))


async def repeats(request):
    last_id = request.headers.get("last-event-id")
    return EventSourceResponse(starlette_events(str(max(0, int(last_id) - 3)) if last_id else None))


flask = Flask("examined")


@flask.get("/no-ids")
def flask_no_ids():
    return Response((f"data: {data}\n\n" for _, data in after(None)), mimetype="text/event-stream")


@flask.get("/resumes")
def flask_resumes():
    events = after(request.headers.get("Last-Event-ID"))
    headers = {"Cache-Control": "no-cache"}
    return Response((f"id: {n}\ndata: {d}\n\n" for n, d in events), mimetype="text/event-stream", headers=headers)


def django_html(request):
    # The type was forgotten: Django's default is text/html.
    return StreamingHttpResponse(f"id: {n}\ndata: {d}\n\n" for n, d in after(request.headers.get("Last-Event-ID")))


def django_resumes(request):
    events = after(request.headers.get("Last-Event-ID"))
    body = (f"id: {n}\ndata: {d}\n\n" for n, d in events)
    return StreamingHttpResponse(body, content_type="text/event-stream", headers={"Cache-Control": "no-cache"})


urlpatterns = [path("html", django_html), path("resumes", django_resumes), path("login", lambda r: HttpResponseRedirect("/x"))]


class Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


class Files(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve(name, app):
    server = make_server("127.0.0.1", 0, app, server_class=Threaded, handler_class=Quiet)
    told(name, server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()


threading.Thread(target=tick, daemon=True).start()
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", DEBUG=False)
serve("flask", flask)
serve("django", get_wsgi_application())
files = ThreadingHTTPServer(("127.0.0.1", 0), Files)
told("python-http", files.server_port)
threading.Thread(target=files.serve_forever, daemon=True).start()


class Told(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        told("sse-starlette", self.servers[0].sockets[0].getsockname()[1])


app = Starlette(routes=[Route("/resumes", resumes), Route("/repeats", repeats)])
uvicorn_server = Told(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
uvicorn_server.run()
