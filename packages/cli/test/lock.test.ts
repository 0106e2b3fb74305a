import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { identityOf, isAlive } from '@assay/chain'
import { CliError } from '../src/cliError.ts'
import { reapChildren, recordChildren } from '../src/up/childrenFile.ts'
import { acquireLock, lockHolder } from '../src/up/lock.ts'
import { runAssay } from './runAssay.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'assay-lock-'))
  file = path.join(folder, 'up.lock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const sleeper = () => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })

test('a second holder is refused and told the process', () => {
  const lock = acquireLock(file)
  assert.throws(
    () => acquireLock(file),
    (error) =>
      error instanceof CliError && error.code === 'already_running' && error.facts.pid === process.pid,
  )
  lock.release()
  assert.equal(existsSync(file), false)
  acquireLock(file).release()
})

test('a network that runs is said to run, in the background too, and keeps its log', async () => {
  const given = process.env.ASSAY_HOME
  process.env.ASSAY_HOME = folder
  const lock = acquireLock(file)
  const log = path.join(folder, 'logs', 'up.log')
  mkdirSync(path.dirname(log))
  writeFileSync(log, 'what it said')
  try {
    const { code, err } = await runAssay('up', '--detach')
    assert.match(err, /already running[\s\S]*assay down/)
    assert.equal(code, 1)
    assert.equal(readFileSync(log, 'utf8'), 'what it said')
  } finally {
    lock.release()
    if (given === undefined) delete process.env.ASSAY_HOME
    else process.env.ASSAY_HOME = given
  }
})

test('a lock whose holder died is taken over', async () => {
  const child = sleeper()
  const identity = identityOf(child.pid ?? 0)
  child.kill('SIGKILL')
  await once(child, 'exit')
  writeFileSync(file, JSON.stringify(identity))
  const lock = acquireLock(file)
  assert.equal(lockHolder(file)?.pid, process.pid)
  lock.release()
})

test('a lock whose process number was given to another process is taken over', () => {
  writeFileSync(file, JSON.stringify({ pid: process.pid, startedAt: 'some other time' }))
  acquireLock(file).release()
})

for (const content of ['', 'not json', '{}', '{"pid":"1","startedAt":1}', '[]', 'null']) {
  test(`a lock file that holds ${JSON.stringify(content)} is taken over`, () => {
    writeFileSync(file, content)
    acquireLock(file).release()
  })
}

test('a release does not take away the lock of a later holder', () => {
  const lock = acquireLock(file)
  writeFileSync(file, JSON.stringify({ pid: 1, startedAt: 'later' }))
  lock.release()
  assert.match(readFileSync(file, 'utf8'), /later/)
})

test('ends what a killed run left behind, and nothing else', async () => {
  const children = path.join(folder, 'children.json')
  const left = sleeper()
  const other = sleeper()
  const identity = identityOf(left.pid ?? 0)
  const otherIdentity = identityOf(other.pid ?? 0)
  assert.ok(identity !== undefined && otherIdentity !== undefined)
  // The second has the number of a live process, but not its start time: a reused number.
  recordChildren(children, [identity, { ...otherIdentity, startedAt: 'another time' }])
  const [reaped] = await Promise.all([reapChildren(children), once(left, 'exit')])
  assert.equal(reaped, 1)
  assert.equal(isAlive(otherIdentity), true)
  assert.equal(await reapChildren(children), 0)
  other.kill('SIGKILL')
  await once(other, 'exit')
})
