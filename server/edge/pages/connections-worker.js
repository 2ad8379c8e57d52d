// The SharedWorker of connections.html: one stream for all the tabs. It ends when the last of them is gone.
// Its URL names a job of this server, never an address to connect to.
const query = new URLSearchParams(location.search);
const more = new URLSearchParams({ experiment: query.get('experiment') });
if (query.has('access_token')) more.set('access_token', query.get('access_token'));
const ports = new Set();
const source = new EventSource(`/jobs/${encodeURIComponent(query.get('job'))}/events?${more}`);
for (const event of ['queued', 'started', 'progress', 'succeeded', 'failed', 'cancelled']) {
  source.addEventListener(event, ({ data }) => {
    for (const port of ports) port.postMessage(data);
  });
}
addEventListener('connect', ({ ports: [port] }) => {
  ports.add(port);
  // A worker is not told that a tab has gone: the tab says so itself.
  port.onmessage = () => ports.delete(port);
});
