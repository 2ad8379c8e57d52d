import assert from 'node:assert/strict';
import { exercise } from '../instruments/exercise.js';

const FILE = 'notebooks/exercises/14-case-files.ts';

type Cause =
  | 'an empty id overwrites the cursor'
  | 'a client obeys a pause of zero'
  | 'events stay in a buffer'
  | 'ids start again at 1, and old cursors stay'
  | 'streams use up the connections'
  | 'the end is announced once, and never looked up'
  | 'a proxy cuts quiet connections'
  | 'a POST is sent again';
type Case = 'a' | 'b' | 'c' | 'd' | 'e' | 'f';
/** The cause of each case. */
export type Diagnosis = Record<Case, Cause>;

/** What to think about after a wrong answer. */
const QUESTIONS: Record<Case, string> = {
  a: 'How long did it pause, in all?',
  b: 'What does the page save last, before it is loaded again?',
  c: 'How many streams are open, and how many connections does a browser have to one host?',
  d: 'The client has everything in the end. Where was it until then?',
  e: 'Which message came while nobody was subscribed?',
  f: 'Which ids do D and E have?',
};

/** 1. Six traces, each with one cause. */
export const diagnosis = exercise<Record<string, string>>({
  id: '14-case-files/1-diagnosis',
  check(causes) {
    for (const [name, question] of Object.entries(QUESTIONS) as [Case, string][]) {
      const [got, right] = [causes[name], myDiagnosis[name]];
      assert.equal(got, right, `${name}: ${got ? `"${got}" is not it` : 'it is in no box yet'}. ${question}`);
    }
    return 'Six of six. The second half has the fix for each.';
  },
  hint: 'Look at one number in each table: the pause, the second load, the clicks that wait, the events before the end, the state, what is heard.',
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
};
// #endregion
