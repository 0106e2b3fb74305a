/** GPUs that an enclave brings with it when its key is registered. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { enclaveBinding, type GpuEvidence, gpuNonce } from '@assay/protocol'
import { type Hex, hexToBytes, keccak256 } from 'viem'
import { readRule, type VerifyRegistrationParameters, verifyRegistration } from '../src/index.ts'
import {
  deployment,
  hashes,
  key,
  node,
  outcome,
  propose,
  proposeDcap,
  proposeSnp,
  under,
} from './proposals.ts'
import { type GpuChanges, simulateGpu } from './tee/simulatedGpu.ts'

const bound = enclaveBinding(deployment, { node, key, ...hashes })

/** A simulated GPU that was asked with this nonce. */
function gpuAsked(nonce: Hex, changes: GpuChanges = {}): GpuEvidence {
  const { evidence } = simulateGpu({ ...changes, bytes: { 4: [...hexToBytes(nonce)] } })
  return evidence
}

test('GPUs: genuine under a root that was voted in, asked by this enclave, each once', async () => {
  const gpu = gpuAsked(gpuNonce(bound))
  const root = `gpu-root/${keccak256(gpu.certificates[0] as Uint8Array)}`
  const proposal = await propose({}, { evidence: { gpus: [gpu] } })
  const verdict = (made: VerifyRegistrationParameters, rules: Record<string, bigint>): string => {
    const set = new Map([...made.rules, ...Object.entries(rules)])
    return verifyRegistration({ ...made, rules: set }).reason
  }
  assert.equal(under(proposal, {}), 'invalid attestation_invalid gpus', 'no root counts without a vote')
  assert.match(verdict(proposal, {}), /^gpus: GPU 0: rootApproved: /)
  assert.equal(under(proposal, { [root]: 1n }), 'valid ok')
  assert.equal(under(proposal, { [root]: 0n }), 'invalid attestation_invalid gpus')

  const asked = async (...gpus: GpuEvidence[]) => {
    const roots = gpus.map(({ certificates: [first] }) => [`gpu-root/${keccak256(first ?? '0x')}`, 1n])
    return verdict(await propose({}, { evidence: { gpus } }), Object.fromEntries(roots))
  }
  const operators = enclaveBinding(deployment, { node: key, key: node, ...hashes })
  assert.match(await asked(gpuAsked(gpuNonce(operators))), /^gpus: GPU 0: nonce: /, "another enclave's")
  assert.match(await asked(gpuAsked(bound)), /^gpus: GPU 0: nonce: /, 'not the binding itself')
  assert.match(await asked(gpu, gpuAsked(bound)), /^gpus: GPU 1: nonce: /)
  assert.match(await asked(gpu, gpu), /^gpus: device 0x[0-9a-f]{64} stands for several GPUs/)
  assert.match(await asked(gpuAsked(gpuNonce(bound), { model: 'LS10' })), /^gpus: GPU 0: deviceKind: /)
  const flipped = { ...gpu, report: gpu.report.map((byte, at) => (at === 2000 ? byte ^ 1 : byte)) }
  assert.match(await asked(flipped), /^gpus: GPU 0: signature: /)
  const short = { ...gpu, certificates: gpu.certificates.slice(0, 1) }
  assert.match(await asked(short), /^gpus: GPU 0: chainLinks: |was not read/)
})

test('rules on GPUs: how many code must show, and which are denied, by device or certificate', async () => {
  const gpu = gpuAsked(gpuNonce(bound))
  const root = { [`gpu-root/${keccak256(gpu.certificates[0] as Uint8Array)}`]: 1n }
  const [bare, one] = [await propose(), await propose({}, { evidence: { gpus: [gpu] } })]
  const required = `require-gpus/${bare.registration.measurement}`
  assert.equal(under(bare, { [required]: 1n }), 'invalid attestation_invalid gpus')
  assert.equal(under(one, { ...root, [required]: 1n }), 'valid ok')
  assert.equal(under(one, { ...root, [required]: 2n }), 'invalid attestation_invalid gpus')
  const named = (start: string) => [...one.rules.keys()].filter((name) => name.startsWith(start))
  assert.equal(named('deny-gpu/').length, 1)
  // The processor's own five stand before them.
  const ofGpu = named('deny-certificate/').slice(5)
  assert.equal(ofGpu.length, 5, 'each certificate of its chain')
  for (const name of [...named('deny-gpu/'), ...ofGpu]) {
    assert.equal(under(one, { ...root, [name]: 1n }), 'invalid attestation_invalid gpus')
  }
  for (const name of [...Object.keys(root), required, ...named('deny-gpu/')]) {
    assert.ok(readRule(name) !== undefined, `${name} can be voted on`)
  }
})

test('SEV-SNP guests and trust domains bring GPUs in the same way', async () => {
  for (const made of [await proposeSnp(), await proposeDcap('tdx')]) {
    const { measurement } = made.registration
    assert.equal(under(made, { [`require-gpus/${measurement}`]: 1n }), 'invalid attestation_invalid gpus')
  }
})

test('a list of no GPUs is not evidence: their absence is said in one way', async () => {
  assert.equal(
    outcome(verifyRegistration(await propose({}, { evidence: { gpus: [] } }))),
    'invalid evidence_malformed',
  )
})
