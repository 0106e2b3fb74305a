// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ParamStore} from "./ParamStore.sol";
import {Params} from "./libraries/Params.sol";

/// @title ModelRegistry
/// @notice Who published which model, and what it costs. Price rows are append-only: a receipt names the version it was
/// priced by, and that row never changes. A rise waits, a cut works at once.
/// @dev Holds no funds. Prices are OPG base units per call and per unit (token).
contract ModelRegistry {
    // ---------------------------------------------------------------- types, errors, events

    struct Model {
        address publisher;
        uint64 publishedAt;
        uint64 withdrawnAt;
        uint64 latestPriceVersion;
        string manifestURI;
        bytes32 weightsHash;
    }

    struct PriceRow {
        uint128 perCall;
        uint128 inputPrice;
        uint128 outputPrice;
        uint64 validFrom;
    }

    error ZeroId();
    error AlreadyPublished(bytes32 modelId);
    error NotPublisher(bytes32 modelId, address caller);
    error AlreadyWithdrawn(bytes32 modelId);
    error BadManifestURI(uint256 length);
    error TooManyPendingPrices(bytes32 modelId);

    event ModelPublished(
        bytes32 indexed modelId, address indexed publisher, bytes32 indexed weightsHash, string manifestURI
    );
    event PriceSet(
        bytes32 indexed modelId,
        uint64 indexed version,
        uint128 perCall,
        uint128 inputPrice,
        uint128 outputPrice,
        uint64 validFrom
    );
    event ModelWithdrawn(bytes32 indexed modelId, uint64 withdrawnAt);

    // ---------------------------------------------------------------- storage

    uint256 public constant MAX_URI_BYTES = 512;
    /// @notice Announced rises that may wait at a time: it bounds the search for the price of now.
    uint256 public constant MAX_PENDING_PRICES = 8;

    ParamStore public immutable params;
    mapping(bytes32 modelId => Model) private _models;
    mapping(bytes32 modelId => mapping(uint64 version => PriceRow)) private _prices;
    /// @notice First address that published these weights; a hint against copies, never a right.
    mapping(bytes32 weightsHash => address) public firstPublisherOf;
    bytes32[] private _ids;

    constructor(ParamStore params_) {
        params = params_;
    }

    // ---------------------------------------------------------------- views

    function model(bytes32 modelId)
        external
        view
        returns (
            address publisher,
            uint64 publishedAt,
            uint64 withdrawnAt,
            uint64 latestPriceVersion,
            string memory manifestURI,
            bytes32 weightsHash
        )
    {
        Model storage m = _models[modelId];
        return (m.publisher, m.publishedAt, m.withdrawnAt, m.latestPriceVersion, m.manifestURI, m.weightsHash);
    }

    function publisherOf(bytes32 modelId) external view returns (address) {
        return _models[modelId].publisher;
    }

    /// @notice A row by its version; `validFrom` is zero for one that does not exist.
    function priceRow(bytes32 modelId, uint64 version)
        external
        view
        returns (uint128 perCall, uint128 inputPrice, uint128 outputPrice, uint64 validFrom)
    {
        PriceRow storage row = _prices[modelId][version];
        return (row.perCall, row.inputPrice, row.outputPrice, row.validFrom);
    }

    /// @notice The price of now: the newest row already in force. Zero for an unknown model.
    function currentPriceVersion(bytes32 modelId) external view returns (uint64) {
        return priceVersionAt(modelId, uint64(block.timestamp));
    }

    /// @notice The newest row in force at `time`, among the rows known now; zero if there was none.
    function priceVersionAt(bytes32 modelId, uint64 time) public view returns (uint64 version) {
        version = _models[modelId].latestPriceVersion;
        while (version != 0 && _prices[modelId][version].validFrom > time) --version;
    }

    function modelCount() external view returns (uint256) {
        return _ids.length;
    }

    function modelAt(uint256 index) external view returns (bytes32) {
        return _ids[index];
    }

    // ---------------------------------------------------------------- writes

    /// @notice Publishes a model under the caller's name, with its first price in force at once.
    function publish(
        bytes32 modelId,
        string calldata manifestURI,
        bytes32 weightsHash,
        uint128 perCall,
        uint128 inputPrice,
        uint128 outputPrice
    ) external {
        if (modelId == bytes32(0) || weightsHash == bytes32(0)) revert ZeroId();
        if (bytes(manifestURI).length == 0 || bytes(manifestURI).length > MAX_URI_BYTES) {
            revert BadManifestURI(bytes(manifestURI).length);
        }
        Model storage m = _models[modelId];
        if (m.publisher != address(0)) revert AlreadyPublished(modelId);
        m.publisher = msg.sender;
        m.publishedAt = uint64(block.timestamp);
        m.manifestURI = manifestURI;
        m.weightsHash = weightsHash;
        _ids.push(modelId);
        if (firstPublisherOf[weightsHash] == address(0)) firstPublisherOf[weightsHash] = msg.sender;
        emit ModelPublished(modelId, msg.sender, weightsHash, manifestURI);
        _addRow(modelId, PriceRow(perCall, inputPrice, outputPrice, uint64(block.timestamp)));
    }

    /// @notice Adds a price row. In force at once if no component rises above the price of now, else after
    /// PRICE_RISE_DELAY. A newer row in force supersedes every older one, also an announced rise.
    function setPrice(bytes32 modelId, uint128 perCall, uint128 inputPrice, uint128 outputPrice) external {
        Model storage m = _onlyLive(modelId);
        uint64 current = priceVersionAt(modelId, uint64(block.timestamp));
        PriceRow storage now_ = _prices[modelId][current];
        uint64 validFrom = uint64(block.timestamp);
        if (perCall > now_.perCall || inputPrice > now_.inputPrice || outputPrice > now_.outputPrice) {
            if (m.latestPriceVersion - current >= MAX_PENDING_PRICES) revert TooManyPendingPrices(modelId);
            validFrom += uint64(params.get(Params.PRICE_RISE_DELAY));
        }
        _addRow(modelId, PriceRow(perCall, inputPrice, outputPrice, validFrom));
    }

    /// @notice Says that the model is no longer offered. Its rows stay, so that open receipts settle.
    function withdraw(bytes32 modelId) external {
        Model storage m = _onlyLive(modelId);
        m.withdrawnAt = uint64(block.timestamp);
        emit ModelWithdrawn(modelId, m.withdrawnAt);
    }

    // ---------------------------------------------------------------- internal

    function _onlyLive(bytes32 modelId) private view returns (Model storage m) {
        m = _models[modelId];
        if (m.publisher != msg.sender) revert NotPublisher(modelId, msg.sender);
        if (m.withdrawnAt != 0) revert AlreadyWithdrawn(modelId);
    }

    function _addRow(bytes32 modelId, PriceRow memory row) private {
        uint64 version = ++_models[modelId].latestPriceVersion;
        _prices[modelId][version] = row;
        emit PriceSet(modelId, version, row.perCall, row.inputPrice, row.outputPrice, row.validFrom);
    }
}
