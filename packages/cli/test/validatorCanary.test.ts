/** A sower that is killed at any point shows its canary later, and whoever noticed is named in the audit. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { developmentAccount, saveNetwork } from '@assay/chain'
import { canaryRegistryAbi, VERDICT } from '@assay/protocol'
import { newCanary, sowAndCommit } from '@assay/validator'
import { type Hex, parseEther } from 'viem'
import { bondedOperator, FIRST_PLAYER, outfit, senderOf } from '../../../test/faults/operators.ts'
import { type FaultNetwork, startFaultNetwork } from '../../validator/test/support/faultNetwork.ts'
import { runAssay } from './runAssay.ts'

const SOWER = FIRST_PLAYER + 50

let on: FaultNetwork
let options: string[]
let running: ChildProcess | undefined
before(async () => {
  on = await startFaultNetwork()
  const networkFile = path.join(on.folder, 'network.json')
  saveNetwork(networkFile, on.network)
  await bondedOperator(on.network, SOWER, 'http://127.0.0.1:9')
  await outfit(on.network, SOWER, parseEther('100'))
  const keyFile = path.join(on.folder, 'sower.key')
  writeFileSync(keyFile, `${developmentAccount(SOWER).privateKey}\n`, { mode: 0o600 })
  options = ['--key-file', keyFile, '--data', on.folder, '--network', networkFile]
})
after(async () => {
  running?.kill('SIGKILL')
  await on.close()
})

const registry = () => ({ address: on.network.contracts.CanaryRegistry, abi: canaryRegistryAbi }) as const
const reveal = (batchId: Hex) => runAssay('validator', 'canary', 'reveal', batchId, ...options)

test('a canary whose sower was killed twice is shown by `reveal`, once, and the audit says who was rewarded', async () => {
  const seed = await killedOnce(['seed'], /batch (0x[0-9a-f]{64}) is committed/)
  const batchId = seed as Hex
  assert.ok(readdirSync(on.folder).includes(`canary-${batchId}.json`))
  const [first, second] = on.validators
  assert.ok(first && second)
  for (const which of [0, 1]) await on.attestFalsely(batchId, which, VERDICT.invalid)
  const revealedIn = await killedOnce(['reveal', batchId], /shown what it was: (0x[0-9a-f]{64})/)
  const shown = await reveal(batchId)
  assert.equal(shown.code, 0, shown.err)
  assert.match(shown.err, new RegExp(`shown what it was: ${revealedIn}`))
  assert.match(shown.out, /10 OPG are back\.\n {2}Nobody called it valid\./)

  await on.committer.send({ ...registry(), functionName: 'rewardVoice', args: [batchId, first.address] })
  const audit = await runAssay('audit', batchId, '--network', path.join(on.folder, 'network.json'))
  for (const line of [
    new RegExp(
      `sown by +${developmentAccount(SOWER).address}, under a deposit of 10 OPG: its deposit is back`,
    ),
    new RegExp(`reward +2\\.5 OPG to ${first.address}, who called it invalid`),
    /reward +2\.5 OPG not taken yet, for who called it invalid/,
  ]) {
    assert.match(audit.out, line)
  }
  // It held nobody's coverage but its own.
  assert.doesNotMatch(audit.out, /voted void/)

  const again = await reveal(batchId)
  assert.equal(again.code, 0, again.err)
  assert.match(again.out, /0 OPG are back/)
})

test('what was sown for a batch that was never committed is taken back', async () => {
  const sender = senderOf(on.network, SOWER)
  const context = { client: on.client, network: on.network, sender }
  const canary = await newCanary(context)
  // As if it were killed between the two transactions.
  const broken = { ...sender, send: refusingCommits(sender.send) }
  await assert.rejects(sowAndCommit(canary, { ...context, sender: broken }), /killed/)
  const { batchId, salt, height, file } = canary
  const text = { batchId, salt, height: height.toString(), file: Buffer.from(file).toString('base64') }
  writeFileSync(path.join(on.folder, `canary-${batchId}.json`), JSON.stringify(text))
  const back = await reveal(batchId)
  assert.equal(back.code, 0, back.err)
  assert.match(back.out, /never committed; 15 OPG are back/)
  assert.match((await reveal(batchId)).out, /never committed; 0 OPG are back/)
})

function refusingCommits(send: ReturnType<typeof senderOf>['send']): typeof send {
  return (call) =>
    'functionName' in call && call.functionName === 'commit'
      ? Promise.reject(new Error('killed'))
      : send(call)
}

/** Runs a command and kills it once it has said so much. @returns the hash that it named */
async function killedOnce(command: readonly string[], said: RegExp): Promise<string> {
  const main = path.join(import.meta.dirname, '..', 'src', 'main.ts')
  const child = spawn(process.execPath, [main, 'validator', 'canary', ...command, ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  running = child
  const ended = new Promise((resolve) => child.once('exit', resolve))
  for await (const line of createInterface({ input: child.stderr })) {
    const hash = said.exec(line)?.[1]
    if (hash === undefined) continue
    child.kill('SIGKILL')
    await ended
    return hash
  }
  return assert.fail(`it ended before it said ${said}`)
}
