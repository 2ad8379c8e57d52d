// Set up before a test file where SEED is set: property tests take their examples from it.
import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env.SEED) });
