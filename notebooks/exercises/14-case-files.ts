import assert from 'node:assert/strict';
import { exercise } from '../instruments/exercise.js';

const FILE = 'notebooks/exercises/14-case-files.ts';

type Cause =
  | 'an empty id overwrites the cursor'
  | 'a client obeys a pause of zero'
  | 'each node knows only its own messages'
  | 'events stay in a buffer'
  | 'ids start again at 1, and old cursors stay'
  | 'progress 0 is taken for no job'
  | 'streams use up the connections'
  | 'the end is announced once, and never looked up'
  | 'a new source has no cursor'
  | 'a proxy cuts quiet connections'
  | 'an old answer overwrites a newer one'
  | 'a POST is sent again';
type Case = 'a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'h' | 'i' | 'j';
/** The cause of each case. */
export type Diagnosis = Record<Case, Cause>;

/** What to think about after a wrong answer. */
const QUESTIONS: Record<Case, string> = {
  a: 'How long did the client pause, in all?',
  b: 'Which id does the page save last, before it is loaded again?',
  c: 'How many streams are open, and how many connections does a browser have to one host?',
  d: 'The client has all events in the end. Where were they until then?',
  e: 'Which message came while nobody was subscribed?',
  f: 'Which ids do D and E have?',
  g: 'How many events did the second request bring, and where did they begin?',
  h: 'Which messages did the page miss, and which container got them?',
  i: 'What is the progress of a job that has not begun?',
  j: 'In the waterfall, which poll ends last, and when did it begin?',
};

/** 1. Ten traces, each with one cause. */
export const diagnosis = exercise<Record<string, string>>({
  id: '14-case-files/1-diagnosis',
  check(causes) {
    for (const [name, question] of Object.entries(QUESTIONS) as [Case, string][]) {
      const [got, right] = [causes[name], myDiagnosis[name]];
      assert.equal(got, right, `${name}: ${got ? `"${got}" is not it` : 'it is in no box yet'}. ${question}`);
    }
    return 'Ten of ten. The second half has the fix for each.';
  },
  hint: 'Look at one number in each table: the pause, the second load, the clicks that wait, the events before the end, the state, what is heard, the events sent, the polls. In case j, look at the waterfall.',
  solution: { file: FILE, region: 'diagnosis' },
});

// #region diagnosis
export const myDiagnosis: Diagnosis = {
  a: 'a client obeys a pause of zero',
  b: 'an empty id overwrites the cursor', // by the state, an event without an id
  c: 'streams use up the connections', // two tabs with three streams each
  d: 'events stay in a buffer', // the compressor's
  e: 'the end is announced once, and never looked up',
  f: 'ids start again at 1, and old cursors stay', // D and E are 1 and 2 again
  g: 'a new source has no cursor', // six events came twice
  h: 'each node knows only its own messages', // every second one went to the other node
  i: 'progress 0 is taken for no job', // before the first step, progress is 0
  j: 'an old answer overwrites a newer one', // the third poll is answered after the fourth
};
// #endregion
