# node-gyp and prebuildify run the CMake build as one action, so there is no list of sources here.
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
