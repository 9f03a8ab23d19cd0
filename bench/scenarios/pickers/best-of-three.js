import { powerOfTwo } from 'evenkeel';

/** The least pending of three at random: power of two with one more choice, under a name of its own. */
export default function bestOfThree(env) {
  const picker = powerOfTwo({ choices: 3 })(env);
  return { name: 'best-of-three', pick: (ready, call) => picker.pick(ready, call) };
}
