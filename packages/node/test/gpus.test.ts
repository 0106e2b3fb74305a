/** Where a node asks its GPUs: NVIDIA's own tools behind a program, and simulated ones; both over the enclave's nonce. */
import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  enclaveBinding,
  evidenceFromJson,
  evidenceToJson,
  gpuNonce,
  HARDWARE_NITRO_SIM,
  tag,
  toBase64,
} from '@assay/protocol'
import { verifyEvidence } from '@assay/verify'
import { keccak256 } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { chooseAttester } from '../src/enclaves/chooseAttester.ts'
import { nitroSimAttester } from '../src/enclaves/nitroSim.ts'
import { nvidiaToolGpus } from '../src/enclaves/nvidiaTool.ts'
import { openEnclave } from '../src/enclaves/openEnclave.ts'
import { simulatedRoot } from '../src/enclaves/simulatedChain.ts'
import { simulatedGpus } from '../src/enclaves/simulatedGpu.ts'

const folder = temporaryFolder('gpus')
const root = await simulatedRoot(folder)
const nonce = tag('nonce')

/** A program of these lines of shell, as an operator would configure one. */
function program(name: string, lines: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${lines}\n`)
  chmodSync(path, 0o755)
  return path
}

/** The list that NVIDIA's tools print: reports and chains in base64, the chain as PEM and leaf first. */
async function asToolsPrint(count: number): Promise<string> {
  const gpus = await (await simulatedGpus(root, count)).ask(nonce)
  const pem = (der: Uint8Array) =>
    `-----BEGIN CERTIFICATE-----\n${toBase64(der)}\n-----END CERTIFICATE-----\n`
  return JSON.stringify(
    gpus.map(({ report, certificates }) => ({
      arch: 'HOPPER',
      nonce: nonce.slice(2),
      evidence: toBase64(report),
      certificate: toBase64(new TextEncoder().encode([...certificates].reverse().map(pem).join(''))),
    })),
  )
}

test('a node with simulated GPUs registers their reports beside its own, and a vote on their root decides', async () => {
  const attester = await chooseAttester({ ASSAY_SIMULATED_GPUS: '2' }, folder)
  const enclave = await openEnclave({ attester, engineClasses: 1 })
  const deployment = {
    chainId: 31337,
    settlement: `0x${'5e'.repeat(20)}`,
    deploymentId: tag('here'),
  } as const
  const node = `0x${'0a'.repeat(20)}` as const
  const made = await enclave.evidence(deployment, node, { number: 7n, hash: tag('block') })
  assert.equal(made.gpus?.length, 2)
  const evidence = evidenceFromJson(evidenceToJson(made))
  assert.deepEqual(evidence, made, 'survives its file')
  const { key, rootHash, measurement } = enclave
  const claims = {
    ...{ rootHash, hardwareType: HARDWARE_NITRO_SIM, measurement, earlier: 0n },
    userData: enclaveBinding(deployment, { node, key, ...evidence }),
    now: BigInt(Math.floor(Date.now() / 1000)),
  }
  assert.match(verifyEvidence(evidence, claims)?.reason ?? '', /^gpus: GPU 0: rootApproved/)
  const { rulesOfEvidence } = await import('@assay/verify')
  const rules = new Map(rulesOfEvidence(evidence)?.map((name) => [name, 0n]))
  rules.set(`gpu-root/${root.rootHash}`, 1n)
  assert.deepEqual(verifyEvidence(evidence, { ...claims, rules }), {
    ok: true,
    failedCheck: undefined,
    reason: '',
  })
  const bare = { ...evidence, gpus: undefined }
  rules.set(`require-gpus/${measurement}`, 2n)
  assert.equal(verifyEvidence(evidence, { ...claims, rules })?.ok, true)
  assert.match(verifyEvidence(bare, { ...claims, rules })?.reason ?? '', /must show 2 GPUs, here are 0/)
})

test('a program that asks the GPUs is given the nonce alone, and its list is read as NVIDIA writes it', async () => {
  const list = join(folder, 'list.json')
  writeFileSync(list, await asToolsPrint(2))
  const tool = program('tool', `test "$#" = 1 && test "$1" = ${nonce.slice(2)} && cat ${list}`)
  const roots = [{ rootHash: root.rootHash, hardwareType: tag('nvidia-gpu') }]
  const source = nvidiaToolGpus({ program: tool, roots })
  const gpus = await source.ask(nonce)
  assert.equal(gpus.length, 2)
  for (const { certificates } of gpus) assert.equal(keccak256(certificates[0] ?? '0x'), root.rootHash)
  await assert.rejects(source.ask(gpuNonce(nonce)), { code: 'unreachable' }, 'it was given another nonce')
  // What it printed answers another challenge than the enclave's own, so the node stops before it asks anybody.
  const stale = program('stale', `cat ${list}`)
  const attester = { ...nitroSimAttester(root), gpus: nvidiaToolGpus({ program: stale, roots }) }
  await assert.rejects(openEnclave({ attester, engineClasses: 1 }), { code: 'config', message: /nonce/ })
})

test('a program that fails, hangs, prints garbage or too much is an error in words', async () => {
  const refused = async (name: string, lines: string, code: string, timeoutMs?: number) => {
    const source = nvidiaToolGpus({ program: program(name, lines), timeoutMs })
    await assert.rejects(source.ask(nonce), { code }, name)
  }
  await refused('fails', 'echo "no GPU in confidential mode" >&2; exit 3', 'unreachable')
  await refused('hangs', 'exec sleep 600', 'unreachable', 1_000)
  await refused('garbage', 'echo "[{}]"', 'malformed')
  await refused('nothing', 'true', 'malformed')
  await refused('none', 'echo "[]"', 'malformed')
  await refused('floods', 'exec head -c 3000000 /dev/zero', 'unreachable')
  await assert.rejects(nvidiaToolGpus({ program: join(folder, 'absent') }).ask(nonce), {
    code: 'unreachable',
  })
})

test('simulated GPUs stand beside a simulated enclave only, and a Nitro enclave has none', async () => {
  const config = { code: 'config' }
  const tsm = { ASSAY_ENCLAVE: 'tdx', ASSAY_TSM_FOLDER: folder }
  await assert.rejects(chooseAttester({ ...tsm, ASSAY_SIMULATED_GPUS: '1' }, folder), config)
  for (const count of ['0', '9', '1.5', 'two']) {
    await assert.rejects(chooseAttester({ ASSAY_SIMULATED_GPUS: count }, folder), config, count)
  }
  assert.equal((await chooseAttester({ ...tsm, ASSAY_GPU_EVIDENCE: '' }, folder)).gpus, undefined)
  assert.notEqual((await chooseAttester({ ...tsm, ASSAY_GPU_EVIDENCE: '/opt/tool' }, folder)).gpus, undefined)
})
