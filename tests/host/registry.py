# SPDX-License-Identifier: Apache-2.0
"""A registry of a test's own on loopback, images to put into it, and a way to it that can be made bad.

`Registry` is Debian's docker-registry. `Way` is an HTTP proxy in front of it that writes down what is asked for, and does to an answer what
a test wants: cut it, hold it, send another. Both end with the test.
"""
import contextlib
import gzip
import hashlib
import http.client
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time

PATIENCE = 60


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(*words, **more):
    return subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True, **more).stdout


class Layout:
    """An OCI layout by umoci, layer by layer: each is a function that changes the root file system. owners=(): root may give files away."""

    def __init__(self, folder, *layers, config=(), owners=("--rootless",)):
        self.path, self.bundle = pathlib.Path(folder) / "layout", pathlib.Path(folder) / "bundle"
        image = f"{self.path}:latest"
        run("umoci", "init", "--layout", self.path)
        run("umoci", "new", "--image", image)
        for layer in layers:
            run("umoci", "unpack", *owners, "--image", image, self.bundle)
            layer(self.bundle / "rootfs")
            run("umoci", "repack", "--image", image, self.bundle)
            run("chmod", "-R", "u+rwx", self.bundle)
            shutil.rmtree(self.bundle)
        if config:
            run("umoci", "config", "--image", image, *config)

    def document(self, descriptor):
        return json.loads((self.path / "blobs/sha256" / descriptor["digest"].split(":")[1]).read_text())

    def manifest(self):
        return self.document(json.loads((self.path / "index.json").read_text())["manifests"][0])

    def layers(self):
        """Digests, from the lowest on."""
        return [layer["digest"] for layer in self.manifest()["layers"]]


def busybox(root):
    for folder in ("bin", "etc", "tmp"):
        (root / folder).mkdir(exist_ok=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for applet in ("sh", "cat", "sleep", "echo"):
        (root / "bin" / applet).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")


def noise(name, size):
    """A layer that nothing makes smaller."""
    def layer(root):
        (root / name).write_bytes(os.urandom(size))
    return layer


def pack_with_zstd(layout):
    """Its layers in the compression that newer tools use."""
    def put(data):
        digest = hashlib.sha256(data).hexdigest()
        (layout / "blobs/sha256" / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    def get(descriptor):
        return (layout / "blobs/sha256" / descriptor["digest"].split(":")[1]).read_bytes()

    index = json.loads((layout / "index.json").read_text())
    manifest = json.loads(get(index["manifests"][0]))
    for layer in manifest["layers"]:
        packed = subprocess.run(["zstd", "-q", "-c"], input=gzip.decompress(get(layer)), check=True, capture_output=True).stdout
        layer.update(put(packed), mediaType="application/vnd.oci.image.layer.v1.tar+zstd")
    index["manifests"][0].update(put(json.dumps(manifest).encode()))
    (layout / "index.json").write_text(json.dumps(index))


class Registry:
    def __init__(self, folder, users=None, certificate=None):
        self.folder, self.port = pathlib.Path(folder), free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.certificate = certificate
        config = {"version": 0.1, "log": {"level": "error"},
                  "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
                  "http": {"addr": self.host}}
        self.folder.mkdir(exist_ok=True)
        if users:
            lines = [run("htpasswd", "-nbB", name, password).strip() for name, password in users.items()]
            (self.folder / "htpasswd").write_text("\n".join(lines) + "\n")
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(self.folder / "htpasswd")}}
        if certificate:
            config["http"]["tls"] = {"certificate": f"{certificate}.crt", "key": f"{certificate}.key"}
        (self.folder / "config.json").write_text(json.dumps(config)) # JSON is YAML, too

    def __enter__(self):
        with open(self.folder / "out", "wb") as out:
            self.process = subprocess.Popen(["docker-registry", "serve", self.folder / "config.json"], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out)
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError("the registry does not start: " + (self.folder / "out").read_text())
            time.sleep(0.02)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def push(self, layout, name, *more):
        run("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", *more, f"oci:{layout}:latest", f"docker://{self.host}/{name}")

    def digest(self, name):
        """The digest of what a tag stands for, as the registry has it."""
        raw = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{self.host}/{name}"], check=True,
                             capture_output=True).stdout
        return "sha256:" + hashlib.sha256(raw).hexdigest()

    def data(self, digest):
        """The file in which it keeps a blob."""
        hex_digits = digest.split(":")[1]
        return self.folder / "data/docker/registry/v2/blobs/sha256" / hex_digits[:2] / hex_digits / "data"


class Way:
    """self.rules: {regular expression of a path: function(handler, answer, body)} that answers in the place of the registry."""

    def __init__(self, registry):
        self.registry, self.asked, self.rules = registry, [], {}
        way = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                way.asked.append(self.path)
                connection = http.client.HTTPConnection("127.0.0.1", registry.port, timeout=PATIENCE)
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for header in self.headers.items(): # one of a name may come more than once
                    connection.putheader(*header)
                connection.endheaders()
                answer = connection.getresponse()
                body = answer.read()
                connection.close()
                for pattern, rule in way.rules.items():
                    if re.search(pattern, self.path):
                        with contextlib.suppress(OSError):
                            rule(self, answer, body)
                        self.close_connection = True
                        return
                self.head(answer, len(body))
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            do_HEAD = do_GET

            def head(self, answer, size):
                self.send_response(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in ("content-length", "connection", "date", "transfer-encoding"):
                        self.send_header(key, value)
                self.send_header("Content-Length", str(size))
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def fetched(self, digest):
        return sum(path.endswith(f"/blobs/{digest}") for path in self.asked)


def cut(after, when=lambda: None):
    """An answer that ends too early, once `when` has returned."""
    def rule(handler, answer, body):
        handler.head(answer, len(body))
        handler.wfile.write(body[:after])
        handler.wfile.flush()
        when()
        handler.connection.shutdown(socket.SHUT_RDWR)
    return rule


def hold(released, began):
    """An answer that begins and does not go on until it is released."""
    def rule(handler, answer, body):
        handler.head(answer, len(body))
        handler.wfile.write(body[:1000])
        handler.wfile.flush()
        began.set()
        released.wait(PATIENCE)
    return rule


def instead(other, kind=None):
    """Another body; of another kind, too, it is there whatever the registry says."""
    def rule(handler, answer, body):
        if kind:
            handler.send_response(200)
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(other)))
            handler.end_headers()
        else:
            handler.head(answer, len(other))
        handler.wfile.write(other)
    return rule
