import { describe, expect, it } from 'vitest';
import { diagnosis, myDiagnosis } from './14-case-files.js';

describe('1, diagnosis', () => {
  it('takes the solution that it shows', async () => {
    expect((await diagnosis.verdict(myDiagnosis)).text).toMatch(/^✓ Solved\. Ten of ten/);
  });
  it.each(Object.keys(myDiagnosis))('sees that %s has another cause, and says what to think about', async (name) => {
    const wrong = { ...myDiagnosis, [name]: 'a POST is sent again' };
    const reason = new RegExp(`^✗ Not yet\\. ${name}: "a POST is sent again" is not it\\. .*\\?$`);
    expect((await diagnosis.verdict(wrong)).text).toMatch(reason);
  });
  it('sees one that is left out', async () => {
    const { f, ...rest } = myDiagnosis;
    expect((await diagnosis.verdict(rest)).text).toMatch(/f: it is in no box yet/);
  });
});
