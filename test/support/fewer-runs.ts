import fc from 'fast-check';

// A mutant that a property notices it notices soon, as a rule; each run of a property is made for every mutant.
fc.configureGlobal({ ...fc.readConfigureGlobal(), numRuns: 40 });
