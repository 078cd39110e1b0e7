# No list of sources: this one action has node-gyp and prebuildify start the CMake build.
{
  "targets": [
    {
      "target_name": "addons",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["<(module_root_dir)/CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/sda_checkpoint.node", "<(PRODUCT_DIR)/sda_engine.node"],
          "action": ["node", "--import", "tsx", "<(module_root_dir)/scripts/build.ts", "native"]
        }
      ]
    }
  ]
}
