using LlmCluster.Cluster;

namespace LlmCluster.Gateway.Models;

/// <summary>What workers say of the model.</summary>
internal sealed class ModelFacts(ServedModel model, ClusterView view)
{
    /// <summary>
    /// Longest sequence in tokens that every worker of the model can serve, wherever a request will be placed; the
    /// model's own limit when there is no worker.
    /// </summary>
    public int ContextLength
    {
        get
        {
            int length = model.Settings.Config.MaxPositions;
            foreach (WorkerSnapshot worker in view.Workers)
            {
                if (worker.Info.Model == model.Name)
                {
                    length = Math.Min(length, worker.Info.ContextLength);
                }
            }

            return length;
        }
    }
}
