// The SharedWorker of connections.html: one stream for all the tabs. It ends when the last of them is gone.
const ports = [];
const source = new EventSource(new URLSearchParams(location.search).get('stream'));
for (const event of ['queued', 'started', 'progress', 'succeeded', 'failed', 'cancelled']) {
  source.addEventListener(event, ({ data }) => {
    for (const port of ports) port.postMessage(data);
  });
}
addEventListener('connect', ({ ports: [port] }) => ports.push(port));
