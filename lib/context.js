'use strict'

/**
 * The context of `AsyncLocalStorage` in which something was made, and in which its listeners and
 * callbacks run later. Events cross from another thread, so Node cannot know to whom they belong.
 *
 * Where no store is set a context is `null`, and running in it costs a comparison.
 */

const { AsyncLocalStorage, AsyncResource, executionAsyncResource } = require('node:async_hooks')

/** A context. Those who look for what keeps a process are told that it does not. */
class Context extends AsyncResource {
  hasRef() {
    return false
  }
}

/** The owner keeps the resource, so nothing needs to watch for its collection. */
const OPTIONS = { requireManualDestroy: true }

const STORE = 'kResourceStore'
const FRAME = 'context_frame'

/** Node up to 22 keeps a store in a property of the resource that runs. */
const storesInResources = typeof new AsyncLocalStorage().kResourceStore === 'symbol'

/** Node from 24 on has one frame with all stores, which every resource remembers. */
const frame = Object.getOwnPropertySymbols(makeResource()).find(
  ({ description }) => description === FRAME,
)

/** A resource without stores, even if the package was loaded where some were set. */
const root = makeResource()

/** Whether this thread has ever entered a store; `true` where that cannot be known. */
let inUse = !storesInResources && frame === undefined

if (!inUse) noticeUse()

/**
 * Captures the context of the caller.
 *
 * @return {(AsyncResource|null)} `null` where no store is set
 */
function capture() {
  if (storesInResources) {
    if (!inUse) {
      const resource = executionAsyncResource()
      // The one in which the events of most servers run has no store: nobody has ever entered one.
      if (resource !== root) inUse = hasStore(resource)
    }
    return inUse ? makeResource() : null
  }
  const resource = makeResource()
  if (frame !== undefined && resource[frame] === undefined) return null
  inUse = true
  return resource
}

/**
 * Captures the context of the caller for one callback: quick as long as nobody has entered a store.
 *
 * @return {(AsyncResource|null)}
 */
function captureQuickly() {
  return inUse ? capture() : null
}

/**
 * Calls a function in a context.
 *
 * @param {(AsyncResource|null)} context
 * @param {Function} fn
 * @param {*} thisArg
 * @param {...*} args
 * @return {*} What it returns
 */
function run(context, fn, thisArg, ...args) {
  return (context ?? emptied()).runInAsyncScope(fn, thisArg, ...args)
}

/**
 * Makes a function run in the context of the caller, whenever and by whomever it is called.
 *
 * @param {Function} fn
 * @return {Function}
 */
function bind(fn) {
  const context = capture()
  return (...args) => run(context, fn, undefined, ...args)
}

/**
 * Removes stores that a listener has set (`enterWith`) in the resource that runs, which is that of
 * all sockets: another socket must not see them.
 */
function scrub() {
  if (inUse && storesInResources) removeStores(executionAsyncResource())
}

/**
 * Learns of the first store that is entered, and leaves no trace then. Node has no question for it,
 * and to look at the resource for every callback would cost more than sending a message does.
 *
 * Where it cannot be learned every callback has its context captured: the prototype may be frozen, and
 * a store may be entered by another way than we know.
 */
function noticeUse() {
  const stop = watchUse()
  if (stop === null) {
    inUse = true
    return
  }
  const probe = new AsyncLocalStorage()
  probe.run(true, () => {})
  probe.disable()
  stop()
  inUse = !inUse || watchUse() === null
}

/**
 * Sets `inUse` at the first store that is entered.
 *
 * @return {(Function|null)} Ends that; `null` where it is not possible
 */
function watchUse() {
  const { prototype } = AsyncLocalStorage
  // Whatever enters a store calls it.
  const name = storesInResources ? '_enable' : 'enterWith'
  const original = Object.getOwnPropertyDescriptor(prototype, name)
  if (!original?.configurable || typeof original.value !== 'function') return null
  const stop = () => {
    // Another library may have put its own function over this one.
    if (prototype[name] === value) Object.defineProperty(prototype, name, original)
  }
  const value = function (...args) {
    inUse = true
    stop()
    return original.value.apply(this, args)
  }
  Object.defineProperty(prototype, name, { ...original, value })
  return stop
}

/** @return {AsyncResource} The root, without what a function that ran in it has set */
function emptied() {
  if (storesInResources) {
    if (inUse) removeStores(root)
  } else if (frame !== undefined) {
    root[frame] = undefined
  }
  return root
}

/** @return {AsyncResource} One with the stores of the caller */
function makeResource() {
  return new Context('hyco-rs', OPTIONS)
}

/**
 * @param {Object} resource
 * @return {Boolean}
 */
function hasStore(resource) {
  const symbols = Object.getOwnPropertySymbols(resource)
  return symbols.some((symbol) => symbol.description === STORE && resource[symbol] !== undefined)
}

/** @param {Object} resource */
function removeStores(resource) {
  for (const symbol of Object.getOwnPropertySymbols(resource)) {
    if (symbol.description === STORE) resource[symbol] = undefined
  }
}

module.exports = { bind, capture, captureQuickly, run, scrub }
