/** docs/spec.md §3, §4, §7 and §8: the hashes that name things, each built a second time by hand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeAbiParameters, type Hex, keccak256, stringToBytes } from 'viem'
import {
  AssayError,
  deploymentIdOf,
  enclaveBinding,
  gpuNonce,
  HARDWARE_NITRO,
  HARDWARE_NITRO_SIM,
  HARDWARE_SGX,
  HARDWARE_SNP,
  HARDWARE_TDX,
  type ModelManifest,
  manifestFromJson,
  manifestToJson,
  modelIdOf,
  nitroMeasurement,
  registrationIdOf,
  requestIdOf,
  SCHEME,
  sgxMeasurement,
  snpMeasurement,
  TAGS,
  tag,
  tdxMeasurement,
} from '../src/index.ts'
import { address, bytes32, deployment, hexOf } from './support/arbitraries.ts'

function hashOf(types: string, values: readonly unknown[]): Hex {
  const words = types.split(' ').map((type) => ({ type }))
  return keccak256(encodeAbiParameters(words, values))
}
const chainId = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const uint8 = fc.integer({ min: 0, max: 255 })

test('tags are the hashes of their names, and all differ', () => {
  const names = {
    request: 'assay/request/v1',
    response: 'assay/response/v1',
    requestId: 'assay/request-id/v1',
    deployment: 'assay/deployment/v1',
    leaf: 'assay/leaf/v1',
    node: 'assay/node/v1',
    row: 'assay/row/v1',
    group: 'assay/group/v1',
    data: 'assay/data/v1',
    dataChunk: 'assay/data-chunk/v1',
    dataNode: 'assay/data-node/v1',
    batch: 'assay/batch/v1',
    registration: 'assay/registration/v1',
    enclaveBinding: 'assay/enclave-binding/v2',
    nitroMeasurement: 'assay/measurement/nitro/v1',
    snpMeasurement: 'assay/measurement/snp/v1',
    tdxMeasurement: 'assay/measurement/tdx/v1',
    sgxMeasurement: 'assay/measurement/sgx/v1',
    gpuNonce: 'assay/gpu-nonce/v1',
    fault: 'assay/fault/v1',
    canary: 'assay/canary/v1',
    zkEvidence: 'assay/zk-evidence/v1',
    zkCircuit: 'assay/zk-circuit/v1',
  }
  const expected = Object.entries(names).map(([key, name]) => [key, keccak256(stringToBytes(name))])
  assert.deepEqual(TAGS, Object.fromEntries(expected))
  assert.equal(new Set(Object.values(TAGS)).size, expected.length)
  assert.equal(HARDWARE_NITRO, keccak256(stringToBytes('nitro')))
  assert.equal(HARDWARE_NITRO_SIM, keccak256(stringToBytes('nitro-sim')))
  assert.equal(HARDWARE_TDX, keccak256(stringToBytes('tdx')))
  assert.equal(HARDWARE_SGX, keccak256(stringToBytes('sgx')))
  assert.equal(HARDWARE_SNP, keccak256(stringToBytes('snp')))
})

test('a tag hashes the text of its name, even one that looks like hex', () => {
  assert.equal(tag('0x61'), keccak256(stringToBytes('0x61')))
})

test('request id', () => {
  fc.assert(
    fc.property(
      chainId,
      address,
      address,
      fc.constantFrom(1, 2, 3),
      bytes32,
      (chainId, escrow, payer, scheme, paymentNonce) => {
        assert.equal(
          requestIdOf({ chainId, escrow, payer, scheme, paymentNonce }),
          hashOf('bytes32 uint256 address address uint8 bytes32', [
            tag('assay/request-id/v1'),
            chainId,
            escrow,
            payer,
            scheme,
            paymentNonce,
          ]),
        )
      },
    ),
    { numRuns: 30 },
  )
  assert.deepEqual(SCHEME, { exact: 1, upto: 2, grant: 3 })
})

test('deployment id', () => {
  fc.assert(
    fc.property(chainId, address, bytes32, (chainId, deployer, entropy) => {
      const values = [tag('assay/deployment/v1'), chainId, deployer, entropy]
      assert.equal(
        deploymentIdOf(chainId, deployer, entropy),
        hashOf('bytes32 uint256 address bytes32', values),
      )
    }),
    { numRuns: 30 },
  )
})

test('registration id', () => {
  fc.assert(
    fc.property(
      chainId,
      address,
      address,
      address,
      fc.tuple(bytes32, bytes32, bytes32, bytes32),
      uint8,
      (chainId, registry, node, key, hashes, engineClasses) => {
        const [hardwareType, rootHash, measurement, evidenceHash] = hashes
        const types = 'bytes32 uint256 address address address bytes32 bytes32 bytes32 uint8 bytes32'
        assert.equal(
          registrationIdOf(chainId, registry, {
            node,
            key,
            hardwareType,
            rootHash,
            measurement,
            engineClasses,
            evidenceHash,
          }),
          hashOf(types, [
            tag('assay/registration/v1'),
            chainId,
            registry,
            node,
            key,
            hardwareType,
            rootHash,
            measurement,
            engineClasses,
            evidenceHash,
          ]),
        )
      },
    ),
    { numRuns: 30 },
  )
})

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })

test('enclave binding', () => {
  fc.assert(
    fc.property(
      deployment,
      address,
      address,
      bytes32,
      bytes32,
      uint64,
      bytes32,
      (where, node, key, tlsKeyHash, hpkeKeyHash, anchorBlock, anchorHash) => {
        const types = 'bytes32 uint256 bytes32 address address bytes32 bytes32 uint64 bytes32'
        assert.equal(
          enclaveBinding(where, { node, key, tlsKeyHash, hpkeKeyHash, anchorBlock, anchorHash }),
          hashOf(types, [
            tag('assay/enclave-binding/v2'),
            where.chainId,
            where.deploymentId,
            node,
            key,
            tlsKeyHash,
            hpkeKeyHash,
            anchorBlock,
            anchorHash,
          ]),
        )
      },
    ),
    { numRuns: 30 },
  )
})

test('measurement of a Nitro enclave: PCR 0, 1, 2 and their order', () => {
  fc.assert(
    fc.property(hexOf(48), hexOf(48), hexOf(48), (pcr0, pcr1, pcr2) => {
      const values = [tag('assay/measurement/nitro/v1'), pcr0, pcr1, pcr2]
      assert.equal(nitroMeasurement(pcr0, pcr1, pcr2), hashOf('bytes32 bytes bytes bytes', values))
      fc.pre(pcr0 !== pcr1)
      assert.notEqual(nitroMeasurement(pcr0, pcr1, pcr2), nitroMeasurement(pcr1, pcr0, pcr2))
    }),
    { numRuns: 20 },
  )
})

const manifest: ModelManifest = {
  name: 'smollm2-135m-instruct',
  engine: 'llama',
  files: [{ name: 'model.gguf', sha256: `0x${'ab'.repeat(32)}`, bytes: 91_735_488n }],
  contextLength: 2048,
  license: 'Apache-2.0',
  modes: ['tee'],
}

test('a model is the hash of its canonical manifest', () => {
  const text =
    '{"contextLength":2048,"engine":"llama","files":[{"bytes":"91735488","name":"model.gguf","sha256":"0x' +
    `${'ab'.repeat(32)}"}],"format":"assay-model/1","license":"Apache-2.0","modes":["tee"],"name":"smollm2-135m-instruct"}`
  assert.equal(modelIdOf(manifest), keccak256(stringToBytes(text)))
  assert.deepEqual(manifestFromJson(manifestToJson(manifest)), manifest)
  assert.notEqual(modelIdOf({ ...manifest, contextLength: 4096 }), modelIdOf(manifest))
})

test('a manifest of another format, mode or shape is refused', () => {
  const good = manifestToJson(manifest)
  for (const bad of [
    { ...good, format: 'assay-model/2' },
    { ...good, modes: ['sgx'] },
    { ...good, modes: ['tee', 'zk', 'replay', 'bonded', 'tee'] },
    { ...good, contextLength: '2048' },
    { ...good, contextLength: -1 },
    { ...good, files: [{ name: 'x', sha256: '0x12', bytes: '1' }] },
    { ...good, extra: true },
  ]) {
    assert.throws(() => manifestFromJson(bad as never), AssayError, JSON.stringify(bad))
  }
})

test('measurement of a SEV-SNP guest: MEASUREMENT and HOST_DATA', () => {
  fc.assert(
    fc.property(hexOf(48), hexOf(32), (launchDigest, hostData) => {
      const values = [tag('assay/measurement/snp/v1'), launchDigest, hostData]
      assert.equal(snpMeasurement(launchDigest, hostData), hashOf('bytes32 bytes bytes', values))
    }),
    { numRuns: 20 },
  )
})

test('measurement of a trust domain: MRTD, MRCONFIGID and the four run-time registers', () => {
  const registers = fc.tuple(hexOf(48), hexOf(48), hexOf(48), hexOf(48))
  fc.assert(
    fc.property(hexOf(48), hexOf(48), registers, (mrTd, mrConfigId, rtmrs) => {
      const values = [tag('assay/measurement/tdx/v1'), mrTd, mrConfigId, ...rtmrs]
      const expected = hashOf('bytes32 bytes bytes bytes bytes bytes bytes', values)
      assert.equal(tdxMeasurement(mrTd, mrConfigId, rtmrs), expected)
    }),
    { numRuns: 20 },
  )
})

test('measurement of an SGX enclave: MRENCLAVE and CONFIGID', () => {
  fc.assert(
    fc.property(hexOf(32), hexOf(64), (mrEnclave, configId) => {
      const values = [tag('assay/measurement/sgx/v1'), mrEnclave, configId]
      assert.equal(sgxMeasurement(mrEnclave, configId), hashOf('bytes32 bytes bytes', values))
    }),
    { numRuns: 20 },
  )
})

test('the nonce asked of a GPU follows from the enclave that asks', () => {
  fc.assert(
    fc.property(hexOf(32), (binding) => {
      const values = [tag('assay/gpu-nonce/v1'), binding]
      assert.equal(gpuNonce(binding), hashOf('bytes32 bytes32', values))
    }),
    { numRuns: 20 },
  )
})
