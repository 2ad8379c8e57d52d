// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the strings are the text of source files.

/**
 * How the server, or the proxy that counts, is made wrong: inside which function, method or class, what stands there, and
 * what is put in its place (see `editAt` in anchors.ts). Then the cells, by their ids, of which the notebook must go red at
 * one; more than one where chance decides which is first.
 */
type Change = [inside: string, pattern: string, make: string, cell: string, ...otherCells: string[]];

/** For each notebook, what it must notice, by the name of what is wrong. */
const changes: Record<string, Record<string, Change>> = {
  '00-start-here': {
    'the ledger does not learn the name of an experiment': ['nameExperiment', '$LEDGER.name($$$);', '{}', 'compare'],
    'a submit that waits is answered at once': [
      'answer',
      '$X.holdForEnd($JOB, $W, $A);',
      '$A($X, $JOB.job, {});',
      'wait',
    ],
    'a long poll is answered at the first progress': [
      'result',
      '$X.holdForEnd($JOB, $W, $A)',
      '$X.hold($JOB.events, $JOB.events.head, 1, $W.seconds).then(() => $A($X, $JOB.job, $W.applied))',
      'counts',
    ],
    'an event is dropped': [
      'frame',
      'events.map($F)',
      "events.filter(({ event }) => event !== 'started').map($F)",
      'stream',
    ],
    'a cursor goes on one late': [
      'start',
      '$GIVEN ? $PLACE : NOWHERE',
      '$GIVEN ? $PLACE + (header ? 0 : 1) : NOWHERE',
      'consume',
    ],
  },

  // The answer that waits, and the ledger.
  '01-request-and-response': {
    'a submit that waits is answered at once': [
      'answer',
      '$X.holdForEnd($JOB, $W, $A);',
      '$A($X, $JOB.job, {});',
      'run-one',
    ],
    'Preference-Applied is missing': ['waitOf', "{ 'Preference-Applied': $WAIT }", '{}', 'wire-compare'],
    'the ledger counts a byte too much': [
      'measure',
      '$ROW.bytesOut = $BYTES',
      '$ROW.bytesOut = $BYTES + 1',
      'wire-compare',
    ],
    'the ledger counts a request twice': ['add', '$TALLY.requests += 1', '$TALLY.requests += 2', 'compare-one'],
    'every request is on the same connection': ['connectionOf', 'this.next++', '1', 'crowd-compare'],
  },

  '02-a-job-and-its-id': {
    'Location is missing': ['answer', "{ Location, 'Retry-After': $S }", "{ 'Retry-After': $S }", 'steps-compare'],
    'Retry-After is missing where a job is accepted': [
      'answer',
      "{ Location, 'Retry-After': $S }",
      '{ Location }',
      'steps-compare',
    ],
    'a job of less than no time is accepted': ['simulated', '$N.min(0).max($MOST)', '$N.max($MOST)', 'bad-compare'],
    'a job that failed has a result': [
      'outcome',
      'new Problem(409, $$$REST)',
      'new Problem(200, $$$REST)',
      'failed-compare',
    ],
    'cancel is ignored': ['cancel', 'await untilFirst($$$);', '{}', 'cancel-compare'],
    'a job that has ended ends once more': ['Jobs.end', 'hasEnded($JOB)', 'false', 'cancel-compare'],
    'the Idempotency-Key is ignored': [
      'submit',
      'idempotencyKey($X)',
      '(idempotencyKey($X) && undefined)',
      'retry-compare',
    ],
    'the Idempotency-Key serves another request too': [
      'submit',
      '$OLD?.fingerprint !== $NEW?.fingerprint',
      'false',
      'reused',
    ],
  },

  '03-short-polling': {
    'Retry-After is missing at a poll': ['shortPoll', 'if (!hasEnded($JOB)) $SET;', '{}', 'etag-moves'],
    '304 is never sent to a poll': ['shortPoll', '$X.hasVersion($V)', '$V < 0', 'etag-run'],
    '304 hides a change': ['shortPoll', '$X.hasVersion($V)', "'if-none-match' in $X.req.headers", 'etag-moves'],
    'caches must not keep a poll': [
      'shortPoll',
      "'Cache-Control': 'no-cache'",
      "'Cache-Control': 'no-store'",
      'etag-run',
    ],
    'the ETag does not change': ['shortPoll', 'ETag: $TAG', `ETag: '"2"'`, 'etag-moves'],
    'the ledger does not count a 304': [
      'add',
      '$T.requests += 1',
      '$T.requests += row.status === 304 ? 0 : 1',
      'etag-compare',
    ],
  },

  // Long polling, and the consumer with a cursor.
  '04-long-polling': {
    'a long poll is answered at the first progress': [
      'result',
      '$X.holdForEnd($JOB, $W, $A)',
      '$X.hold($JOB.events, $JOB.events.head, 1, $W.seconds).then(() => $A($X, $JOB.job, $W.applied))',
      'compare-one',
    ],
    'a long poll is booked as a short one': [
      'getResult',
      "$W ? 'long-poll' : 'other'",
      "$W ? 'short-poll' : 'other'",
      'compare-one',
    ],
    'what is held is not open in the ledger': ['totals', 'if ($ROW.endedAt === null) $COUNT;', '{}', 'crowd-run'],
    'a wait ends after half its time': ['hold', 'seconds * 1000', 'seconds * 500', 'time-out-compare'],
    'the result is there before the end': [
      'outcome',
      "$STATE === 'succeeded'",
      "['succeeded', 'running'].includes($STATE)",
      'time-out-compare',
    ],
    'the next change is not waited for': ['longPollForChange', 'await $X.hold($$$);', '{}', 'time-out-compare'],
    '304 is never sent to a long poll': [
      'longPollForChange',
      'if ($X.hasVersion($V)) $SAME; else $OTHER;',
      '$OTHER',
      'time-out-compare',
    ],
    'a wait has no cap': ['preferredWait', 'Math.min($N, MAX_WAIT_S)', '$N', 'capped'],
    'a version is skipped': ['change', '$JOB.version + 1', '$JOB.version + 2', 'crowd-compare'],
    'a client that left is not forgotten': ['hold', '$LIFETIME.onEnd($F);', '{}', 'leave-compare'],
    'the cursor that is given to come back with is one early': [
      'consume',
      '$EVENTS.at(-1)',
      '$EVENTS.at(-2)',
      'cursor-compare',
    ],
    'an event is missing from the JSON': [
      'eventsJson',
      'events.map($F)',
      "events.filter(({ event }) => event !== 'started').map($F)",
      'cursor-compare',
    ],
    'the ledger counts no events of a consumer': ['consume', '$X.countEvents($N);', '{}', 'cursor-compare'],
    'a consumer is answered with less than it asked for': [
      'consume',
      '$X.hold($TOPIC, $AFTER, $MIN, $S)',
      '$X.hold($TOPIC, $AFTER, 1, $S)',
      'kafka-two-compare',
    ],
    'a consumer does not hear that events are lost': ['consume', 'const gap = $GAP;', "const gap = '';", 'places'],
    'a cursor goes on one late': [
      'start',
      '$GIVEN ? $PLACE : NOWHERE',
      '$GIVEN ? $PLACE + (header ? 0 : 1) : NOWHERE',
      'cursor-run',
    ],
  },

  '05-server-sent-events': {
    'an event is dropped': [
      'frame',
      'events.map($F)',
      "events.filter(({ event }) => event !== 'started').map($F)",
      'raw-compare',
    ],
    'an event is sent twice': [
      'frame',
      'events.map($F)',
      "events.flatMap((e) => (e.event === 'started' ? [e, e] : [e])).map($F)",
      'raw-compare',
    ],
    'events are sent out of order': [
      'frame',
      'events.map($F)',
      "[...events].sort((a, b) => +(b.event === 'started') - +(a.event === 'started')).map($F)",
      'raw-compare',
    ],
    'the final event is missing': [
      'frame',
      'events.map($F)',
      "events.filter(({ event }) => event !== 'succeeded').map($F)",
      'raw-stream',
    ],
    'the stream does not say when to come back': [
      'EventStream',
      '$STREAM.write(`retry: ${$MS}\\n\\n`);',
      '{}',
      'raw-compare',
    ],
    'the ledger counts an event too few': [
      'serve',
      '$X.countEvents($N)',
      '$X.countEvents($N > 1 ? $N - 1 : $N)',
      'raw-witnesses',
    ],
    'the stream ends with the job': [
      'serve',
      '$CURSOR.after = $LAST;',
      '$CURSOR.after = $LAST; if (topic.ended) setImmediate(() => out.finish());',
      'watch-compare',
    ],
    'a stream that has nothing more to say is opened again': ['read', 'return $X.empty(204);', '{}', 'for-good-own'],
    'Last-Event-ID is ignored': ['start', '$LAST || $AFTER', '$AFTER', 'for-good-own'],
    'a stream goes on one early': [
      'start',
      '$GIVEN ? $PLACE : NOWHERE',
      '$GIVEN ? $PLACE - (header ? 1 : 0) : NOWHERE',
      'for-good-own',
    ],
  },

  '06-what-breaks-a-stream': {
    'a stream goes on one late': [
      'start',
      '$GIVEN ? $PLACE : NOWHERE',
      '$GIVEN ? $PLACE + (header ? 1 : 0) : NOWHERE',
      'cut-run',
      'cut-compare',
    ],
    'a kill costs the events': ['load', 'this.hold($$$);', '{}', 'kill-compare'],
    'a job does not go on after a kill': ['App.begin', 'this.run($JOB);', '{}', 'kill-live'],
    'a gap is hidden': ['gap', '`event: gap\\ndata: ${$DATA}\\n\\n`', "''", 'gap-compare'],
    'a gap moves the place of its reader': [
      'gap',
      '`event: gap\\ndata: ${$DATA}\\n\\n`',
      '`id: ${ids.of(topic.trimmed)}\\nevent: gap\\ndata: ${$DATA}\\n\\n`',
      'gap-compare',
    ],
    'a gap names the wrong event': ['gapData', '$IDS.of($OLDEST.seq)', '$IDS.of($OLDEST.seq + 1)', 'gap-compare'],
    'there is no heartbeat': ['EventStream', "$STREAM.write(':\\n\\n')", "$STREAM.write('')", 'idle-run'],
    'proxies are not told to let the stream through': ['HEAD', "'X-Accel-Buffering': 'no'", '...{}', 'buffer-mend'],
  },

  // These need a browser.
  '07-six-connections': {
    'a long poll of a browser is answered at once': [
      'result',
      '$X.holdForEnd($JOB, $W, $A)',
      '$A($X, $JOB.job, $W.applied)',
      'pool-table',
    ],
    'the port with TLS speaks HTTP/1.1 only': ['listen', "['h2', 'http/1.1']", "['http/1.1']", 'http2-compare'],
    'HTTP/2 is not told how many streams there may be': [
      'http2Server',
      'maxConcurrentStreams: $MAX',
      '...{}',
      'stream-101-run',
    ],
    'the stream of all jobs tells nothing': [
      'allEvents',
      'read($X, $ALL, $FROM)',
      'read($X, $ALL, Number.MAX_SAFE_INTEGER)',
      'cures-compare',
    ],
  },

  // All of them side by side.
  '08-choosing': {
    'a repeated submit waits for a job of its own': [
      'submit',
      'idempotencyKey($X)',
      '(idempotencyKey($X) && undefined)',
      'run-one',
    ],
    'a consumer is not held': ['consume', 'await $X.hold($$$);', '{}', 'compare-one', 'choose-table'],
    'a connection is closed after its answer': [
      'head',
      'if (this.context.stopping) this.res.shouldKeepAlive = false;',
      'this.res.shouldKeepAlive = false;',
      'crowd-server-side',
    ],
  },

  // Several servers; without an engine, the cells that notice are skipped.
  '09-more-than-one-server': {
    'a stream that comes back at another server goes on one late': [
      'start',
      '$GIVEN ? $PLACE : NOWHERE',
      '$GIVEN ? $PLACE + (header ? 1 : 0) : NOWHERE',
      'hop-compare',
    ],
  },

  '10-in-the-wild': {
    'the proxy counts a request twice': [
      'ask',
      'this.rows.push($ROW);',
      'this.rows.push($ROW, $ROW);',
      'kafka-compare',
      'xread-compare',
    ],
    'the proxy takes a wait that ran out for news': [
      'RespConversation.answered',
      'if (!isNull) $COUNT;',
      '$COUNT;',
      'xread-compare',
    ],
  },

  '11-streams-over-post': {
    'a stream over POST does not name its job': [
      'answerWithEvents',
      "x.res.setHeader('Location', $URL)",
      '{}',
      'one-run',
    ],
    'a stream over POST begins with what comes next': [
      'answerWithEvents',
      'after: 0',
      'after: events.head',
      'one-compare',
    ],
  },

  '12-what-waiting-costs': {
    'a stream has a buffer to itself': [
      'EventStream',
      'const { $$$NAMES } = x;',
      'const { $$$NAMES } = x; Object.assign(this, { buffer: Buffer.alloc(250_000, 1) });',
      'weigh-compare',
    ],
  },

  '13-your-own': {
    'proxies are not told to let the stream through': ['HEAD', "'X-Accel-Buffering': 'no'", '...{}', 'paths-compare'],
    'a stream goes on one late': [
      'start',
      '$GIVEN ? $PLACE : NOWHERE',
      '$GIVEN ? $PLACE + (header ? 1 : 0) : NOWHERE',
      'paths-compare',
    ],
  },

  '14-case-files': {
    'an id of another store is taken for one of this store': [
      'Ids.read',
      'name === this.store.name || Number(digits) <= end',
      'true',
      'f-fix',
    ],
  },
};

/** A change of the sources, and what must notice it. */
export interface Mutation {
  /** What is wrong. */
  name: string;
  inside: string;
  pattern: string;
  make: string;
  notebook: string;
  cells: string[];
}

export const mutations: Mutation[] = Object.entries(changes).flatMap(([notebook, named]) =>
  Object.entries(named).map(([name, [inside, pattern, make, ...cells]]) => {
    return { name, inside, pattern, make, notebook, cells };
  }),
);
