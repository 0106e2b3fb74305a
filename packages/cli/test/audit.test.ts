/** A lie, its proof, and what the commands say of both; the validator is the one that `assay validator run` runs. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { saveNetwork } from '@assay/chain'
import { FAULT_CLASS, faultIdOf, VERDICT } from '@assay/protocol'
import { BATCH_STATE } from '@assay/verify'
import { parseEther, zeroHash } from 'viem'
import { ROGUE } from '../../../test/faults/faultChain.ts'
import { type FaultNetwork, startFaultNetwork } from '../../validator/test/support/faultNetwork.ts'
import { EXIT } from '../src/cliError.ts'
import { runAssay } from './runAssay.ts'

let on: FaultNetwork
let file: string
let running: ChildProcess | undefined
before(async () => {
  on = await startFaultNetwork()
  file = path.join(on.folder, 'network.json')
  saveNetwork(file, on.network)
})
after(async () => {
  running?.kill('SIGKILL')
  await on.close()
})

const assay = (...args: string[]) => runAssay(...args, '--network', file)

test('a forged receipt is found, proven and explained: who lied, who paid, who got what', async () => {
  const requestId = await on.paid(parseEther('3'))
  const forged = await on.signed({ requestId }, ROGUE)
  const batchId = await on.commit(await on.among(forged))
  await on.attestFalsely(batchId, 1)
  const before = await assay('audit', batchId)
  assert.equal(before.code, EXIT.ok)
  assert.match(before.out, /Waits for two thirds of the stake to speak\./)
  assert.match(before.out, /✓ as committed, receipts of 1 node for 2 payers/)

  const [honest, liar] = on.validators
  assert.ok(honest && liar)
  const keyFile = path.join(on.folder, 'validator.key')
  writeFileSync(keyFile, `${honest.privateKey}\n`, { mode: 0o600 })
  const faultId = faultIdOf(FAULT_CLASS.tee, batchId)
  await runUntilCollected(['--key-file', keyFile, '--data', path.join(on.folder, 'honest')], faultId)

  const { code, out } = await assay('audit', batchId)
  assert.equal(code, EXIT.failed)
  for (const line of [
    /Void: a fault was proven\./,
    new RegExp(`payment +${requestId}\\n +3 OPG went back to ${on.role('demo').address}, for the fault`),
    new RegExp(`called valid +by ${liar.address}, with 1000 OPG of 3000 OPG`),
    /Fault: a receipt that no valid key signed \(class 1\)/,
    new RegExp(`proven by +${honest.address}`),
    new RegExp(`shown by +the receipt of request ${requestId}`),
    new RegExp(`bond slashed +500 OPG of ${on.committer.address}`),
    new RegExp(`stake slashed +1000 OPG of ${liar.address}`),
    new RegExp(`refunded +3 OPG to ${on.role('demo').address}, for request ${requestId}`),
    /proceeds +1500 OPG/,
    new RegExp(`bounty +300 OPG to ${honest.address}`),
    /insurance +450 OPG/,
    /burned +750 OPG/,
  ]) {
    assert.match(out, line)
  }
  const json = JSON.parse((await assay('audit', batchId, '--json')).out)
  assert.deepEqual(
    [json.ok, json.faults.length, json.faults[0].proceeds.bounty, json.file.requests.includes(requestId)],
    [false, 1, parseEther('300').toString(), true],
  )

  const slashes = await assay('validator', 'slashes')
  assert.match(slashes.out, new RegExp(`batch +${batchId}`))
  assert.match(slashes.out, new RegExp(`stake slashed +1000 OPG of ${liar.address}`))
  const none = await assay('validator', 'slashes', '--of', honest.address)
  assert.match(none.out, /Nobody was slashed since block 0\./)
})

test('a commit whose batch was voided is not verified, however sound the receipts in it are', async () => {
  const batchId = await on.commit(await on.among())
  const { transactionHash } = JSON.parse((await assay('audit', batchId, '--json')).out)
  const early = await assay('verify', transactionHash)
  assert.equal(early.code, EXIT.ok, early.out + early.err)
  assert.match(early.out, /not final yet/)
  // The other one was slashed above.
  for (const which of [0, 2]) await on.attestFalsely(batchId, which, VERDICT.invalid)
  assert.equal(await on.stateOf(batchId), BATCH_STATE.void)
  const { code, out } = await assay('verify', transactionHash)
  assert.match(out, /It is void: nothing is settled by it\.[\s\S]*NOT verified/)
  assert.doesNotMatch(out, /✗ [a-z]/)
  assert.equal(code, EXIT.failed)
  const json = JSON.parse((await assay('verify', transactionHash, '--json')).out)
  assert.equal(json.ok, false)
})

async function runUntilCollected(options: string[], faultId: string): Promise<void> {
  const main = path.join(import.meta.dirname, '..', 'src', 'main.ts')
  const child = spawn(
    process.execPath,
    [main, 'validator', 'run', '--network', file, '--port', '0', ...options],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  running = child
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { validator: string; faultId?: string }
    if (said.validator !== 'fault collected' || said.faultId !== faultId) continue
    child.kill('SIGTERM')
    assert.equal(await ended, 0)
    return
  }
  assert.fail('the validator ended before it collected')
}

test('what cannot be audited or run is said in a line', async () => {
  const unknown = await assay('audit', zeroHash)
  assert.equal(unknown.code, EXIT.failed)
  assert.match(unknown.err, /The chain knows no such batch\./)
  assert.equal((await assay('audit', '0x12')).code, EXIT.usage)
  const keyless = await assay('validator', 'run', '--key-file', path.join(on.folder, 'none'))
  assert.equal(keyless.code, EXIT.usage)
  assert.match(keyless.err, /The key file cannot be read\./)
  writeFileSync(path.join(on.folder, 'bad.key'), 'secret')
  const bad = await assay('validator', 'run', '--key-file', path.join(on.folder, 'bad.key'))
  assert.equal(bad.code, EXIT.usage)
  assert.doesNotMatch(bad.err, /secret/)
})
