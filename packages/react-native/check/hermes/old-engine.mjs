// What Hermes 1.0 has and version 0.12 lacks, the last whose engine is on npm. Loaded for that engine only, so
// that 1.0 gets nothing that a phone would not have.
const define = (owner, name, value) => {
  if (owner[name] === undefined)
    Object.defineProperty(owner, name, { value, configurable: true, writable: true });
};

define(Symbol, 'asyncIterator', Symbol.for('Symbol.asyncIterator'));

function at(index) {
  const whole = Math.trunc(index) || 0;
  return this[whole < 0 ? this.length + whole : whole];
}
for (const owner of [
  Array.prototype,
  Object.getPrototypeOf(Uint8Array.prototype),
  String.prototype,
])
  define(owner, 'at', at);
define(Array.prototype, 'toReversed', function toReversed() {
  return this.slice().reverse();
});

define(Promise, 'allSettled', (all) =>
  Promise.all(
    Array.from(all, (one) =>
      Promise.resolve(one).then(
        (value) => ({ status: 'fulfilled', value }),
        (reason) => ({ status: 'rejected', reason }),
      ),
    ),
  ),
);
