export default ({ random }) => ({
  name: 'my-picker',
  pick: (ready, { exclude }) => {
    const start = random(ready.length);
    return [...ready.slice(start), ...ready.slice(0, start)].find((c) => !c.full && !exclude?.has(c));
  },
});
