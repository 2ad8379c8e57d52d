/**
 * The instruments of the course: what a cell needs to reach the server, to record, to compare and to draw.
 * What is taught stands in the cells themselves.
 */

export { lettered, ticked, tickedOne } from './boxes.js';
export { certificateOf } from './certificate.js';
export { arrivals } from './charts/arrivals.js';
export { bars } from './charts/bars.js';
export { compared } from './charts/compared.js';
export { cumulative } from './charts/cumulative.js';
export { growth } from './charts/growth.js';
export { ladder } from './charts/ladder.js';
export { progress } from './charts/progress.js';
export { type Queue, queues } from './charts/queues.js';
export { type Served, served } from './charts/served.js';
export { sideBySide } from './charts/side-by-side.js';
export { states } from './charts/states.js';
export { type Arrived, type Mark, type StreamRun, streamRun, streams } from './charts/streams.js';
export { tradeoff } from './charts/tradeoff.js';
export { versions } from './charts/versions.js';
export { waterfall } from './charts/waterfall.js';
export { connect } from './connect.js';
export { inYourTab, openBrowser, type PageRow, type Trial, type Tried, type Visitor } from './connections.js';
export { type CountingProxy, openProxy } from './counting-proxy/counting-proxy.js';
export { http } from './counting-proxy/http1.js';
export { kafka } from './counting-proxy/kafka.js';
export { resp } from './counting-proxy/resp.js';
export { draw, live } from './draw.js';
export { type Examined, examine, type Recorded } from './examine.js';
export { experiment } from './experiment.js';
export type { Job, Video } from './job.js';
export { withProgress } from './job-progress.js';
export { type Ledger, type LedgerRow, ledger, witnesses } from './ledger.js';
export { type OwnBroker, openBroker } from './own-broker.js';
export { type OwnEngine, openEngine } from './own-engine.js';
export { type OwnNginx, openNginx } from './own-nginx.js';
export { ifThere } from './own-program.js';
export { type OwnServer, startServer } from './own-server.js';
export { predict } from './prediction.js';
export { showProgress } from './progress.js';
export { checkReadiness } from './readiness.js';
export { showSource } from './source.js';
export { table } from './table.js';
